import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { writeAttributes, writePostOp } from './attributes.ts'
import {
  type Caller,
  nullProcedure,
  type Payload,
  type Procedure,
  type Program,
  type Transport,
} from './dispatch.ts'
import { maxNameBytes, pathInFolder, readHandle, readName } from './namespace.ts'
import { maxReadBytes, type ReadContext, read } from './read.ts'
import { type ListContext, Listings, maxListBytes, readdir, readdirPlus } from './readdir.ts'
import { NfsFailure, nfsStatus, statusOf } from './status.ts'
import { XdrError, type XdrReader, type XdrWriter } from './xdr.ts'

export const nfsProgram = 100003

/** ACCESS bits of RFC 1813 section 3.3.4 that a reader can have: READ, LOOKUP. */
const accessRead = 1
const accessLookup = 2

/** FSINFO properties: symbolic links, and PATHCONF the same everywhere. */
const properties = 0x02 | 0x08
const maxFileSize = 0x7fff_ffff_ffff_ffffn
/** No client can write, but clients divide by these numbers. */
const writeBytes = 64 * 1024
const multiple = 4096

/** What the procedures need besides their arguments. */
interface NfsContext extends ReadContext, ListContext {
  readonly events: EventSink
}

type Work = (
  context: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
) => Promise<Payload | undefined> | Promise<void>

/**
 * NFS version 3, RFC 1813: every procedure that reads. Procedures that write are refused with NFS3ERR_ROFS.
 */
export function nfs3Program(reading: ReadContext, events: EventSink): Program {
  const context: NfsContext = { ...reading, listings: new Listings(reading.namespace), events }
  const run = (work: Work): Procedure => guarded(context, work, 'attributes')
  const procedures = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, guarded(context, getattr, 'nothing')],
    [2, refuseWrite(2)], // SETATTR
    [3, run(lookup)],
    [4, run(access)],
    [5, run(readlink)],
    [6, run(read)],
    [7, refuseWrite(2)], // WRITE
    [8, refuseWrite(2)], // CREATE
    [9, refuseWrite(2)], // MKDIR
    [10, refuseWrite(2)], // SYMLINK
    [11, refuseWrite(2)], // MKNOD
    [12, refuseWrite(2)], // REMOVE
    [13, refuseWrite(2)], // RMDIR
    [14, refuseWrite(4)], // RENAME: two folders
    [15, refuseWrite(3)], // LINK: the file's attributes, then the folder
    [16, run(readdir)],
    [17, run(readdirPlus)],
    [18, run(fsstat)],
    [19, run(fsinfo)],
    [20, run(pathconf)],
    [21, refuseWrite(2)], // COMMIT
  ])
  return { number: nfsProgram, versions: new Map([[3, procedures]]) }
}

/** Turns a failure into its status, and into attributes where the failing result has room for them. */
function guarded(context: NfsContext, work: Work, failed: 'attributes' | 'nothing'): Procedure {
  return async (args, out, caller) => {
    const start = out.length
    try {
      return (await work(context, args, out, caller)) ?? undefined
    } catch (error) {
      if (error instanceof XdrError) throw error // `dispatch` replies GARBAGE_ARGS
      const status = statusOf(error)
      if (status === nfsStatus.serverFault || status === nfsStatus.io) report(context, caller, error)
      out.rewind(start)
      out.u32(status)
      if (failed === 'attributes') writePostOp(out, attributesIn(error))
      return undefined
    }
  }
}

function report({ events }: NfsContext, { who }: Caller, error: unknown): void {
  events({ type: 'trouble', where: 'nfs', message: `${who.address}: ${failureMessage(error)}` })
}

function attributesIn(error: unknown): NfsFailure['attributes'] {
  return error instanceof NfsFailure ? error.attributes : undefined
}

/**
 * Replies NFS3ERR_ROFS, followed by "no attributes" `absent` times: `wcc_data` is two of them. All arguments
 * begin with a handle. What follows the handle is not read: a write is refused, well-formed or not.
 */
function refuseWrite(absent: number): Procedure {
  return (args, out) => {
    readHandle(args)
    out.u32(nfsStatus.readOnly)
    for (let i = 0; i < absent; i++) out.bool(false)
    return undefined
  }
}

/** The handle that is a procedure's only argument. */
function onlyHandle(args: XdrReader): Buffer {
  const handle = readHandle(args)
  args.end()
  return handle
}

async function getattr(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<void> {
  const found = await namespace.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writeAttributes(out, found.attributes)
}

async function lookup(context: NfsContext, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const { namespace, events } = context
  const handle = readHandle(args)
  const asked = readName(args)
  args.end()
  const folder = await namespace.findFolder(handle, who)
  if (asked.type === 'too-long') throw new NfsFailure(nfsStatus.nameTooLong, folder.attributes)
  const path = asked.type === 'name' ? pathInFolder(folder.path, asked.name) : undefined
  const found = path === undefined ? undefined : await namespace.at(path, who)
  if (!found) {
    if (path !== undefined)
      events({
        type: 'served',
        protocol: 'nfs',
        client: who.address,
        path,
        outcome: 'failed',
        kind: 'not-found',
        bytes: 0,
        ms: 0,
        question: true,
        who,
      })
    throw new NfsFailure(nfsStatus.noEntry, folder.attributes)
  }
  const name = namespace.handles.handle(found.path)
  await namespace.handles.saved()
  out.u32(nfsStatus.ok).opaque(name)
  writePostOp(out, found.attributes)
  writePostOp(out, folder.attributes)
}

async function access(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<void> {
  const handle = readHandle(args)
  const wanted = args.u32()
  args.end()
  const { attributes } = await namespace.find(handle, who)
  const granted = attributes.kind === 'folder' ? accessRead | accessLookup : accessRead
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(wanted & granted)
}

async function readlink(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<void> {
  const { entry, attributes } = await namespace.find(onlyHandle(args), who)
  if (entry.kind !== 'symlink' || entry.target === undefined)
    throw new NfsFailure(nfsStatus.invalid, attributes)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.string(entry.target)
}

/** FSSTAT, procedure 18: no room at all. We do not tell how much is stored. */
async function fsstat(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<void> {
  const { attributes } = await namespace.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  for (let i = 0; i < 6; i++) out.u64(0) // total, free and available: bytes, then files
  out.u32(0) // invarsec: these numbers may change at any time
}

async function fsinfo(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<void> {
  const { attributes } = await namespace.find(onlyHandle(args), caller.who)
  const transport: Transport = caller.transport
  const most = maxReadBytes[transport]
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(most).u32(most).u32(multiple) // READ: at most, best, a multiple of
  out.u32(writeBytes).u32(writeBytes).u32(multiple)
  out.u32(Math.min(maxListBytes[transport], 64 * 1024)) // READDIR: best
  out.u64(maxFileSize)
  out.u32(0).u32(1_000_000) // times are true to the millisecond
  out.u32(properties)
}

async function pathconf(
  { namespace }: NfsContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<void> {
  const { attributes } = await namespace.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(1).u32(maxNameBytes) // links, length of a name
  out.bool(true).bool(true).bool(false).bool(true) // no truncation, chown restricted, case: significant and kept
}

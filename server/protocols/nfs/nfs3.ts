import { failureMessage } from '../../core/failure.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import { type CleanPath, parentPath } from '../../files/path.ts'
import { writeAttributes, writePostOp } from './attributes.ts'
import { type Caller, nullProcedure, type Payload, type Procedure, type Program } from './dispatch.ts'
import { maxNameBytes, type NfsNamespace, pathInFolder, readHandle, readName } from './namespace.ts'
import { maxReadBytes, type ReadContext, read } from './read.ts'
import { type ListContext, Listings, maxListBytes, readdir, readdirPlus } from './readdir.ts'
import { NfsFailure, nfsStatus, statusOf } from './status.ts'
import { XdrError, type XdrReader, type XdrWriter } from './xdr.ts'

export const nfsProgram = 100003

/** ACCESS bits of RFC 1813 section 3.3.4 that a reader can have: READ, LOOKUP. */
const accessRead = 1
const accessLookup = 2

/** FSINFO properties: we have symbolic links, and PATHCONF is the same for all files. */
const properties = 0x02 | 0x08
const maxFileSize = 0x7fff_ffff_ffff_ffffn
/**
 * FSINFO: the sizes of WRITE, and the multiple of READ and WRITE. No client can write, but clients divide by
 * these numbers.
 */
const writeBytes = 64 * 1024
const transferMultiple = 4096
/** The attributes in a `wcc_data`: those before a write, and those after it. Both may be absent. */
const wccData = 2

/** What the procedures need besides their arguments. */
interface NfsContext extends ReadContext, ListContext {
  readonly events: EventSink
}

/**
 * A procedure before `guarded` makes a `Procedure` of it. Only READ gives a `Payload`: the bytes of the file,
 * which are sent after `out`.
 */
type ContextProcedure = (
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
  const run = (procedure: ContextProcedure): Procedure => guarded(context, procedure, 'attributes')
  const procedures = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, guarded(context, getattr, 'nothing')],
    [2, refuseWrite(wccData)], // SETATTR
    [3, run(lookup)],
    [4, run(access)],
    [5, run(readlink)],
    [6, run(read)],
    [7, refuseWrite(wccData)], // WRITE
    [8, refuseWrite(wccData)], // CREATE
    [9, refuseWrite(wccData)], // MKDIR
    [10, refuseWrite(wccData)], // SYMLINK
    [11, refuseWrite(wccData)], // MKNOD
    [12, refuseWrite(wccData)], // REMOVE
    [13, refuseWrite(wccData)], // RMDIR
    [14, refuseWrite(2 * wccData)], // RENAME: two folders
    [15, refuseWrite(1 + wccData)], // LINK: the file's attributes, then the folder
    [16, run(readdir)],
    [17, run(readdirPlus)],
    [18, run(fsstat)],
    [19, run(fsinfo)],
    [20, run(pathconf)],
    [21, refuseWrite(wccData)], // COMMIT
  ])
  return { number: nfsProgram, versions: new Map([[3, procedures]]) }
}

/**
 * Makes a procedure that replies to a failure with its status. `onFailure`: what follows the status in a
 * failed result of this procedure.
 */
function guarded(
  context: NfsContext,
  procedure: ContextProcedure,
  onFailure: 'attributes' | 'nothing',
): Procedure {
  return async (args, out, caller) => {
    const start = out.length
    try {
      // `?? undefined` only makes `undefined` of the type `void`.
      return (await procedure(context, args, out, caller)) ?? undefined
    } catch (error) {
      if (error instanceof XdrError) throw error // `dispatch` replies GARBAGE_ARGS
      const status = statusOf(error)
      if (status === nfsStatus.serverFault || status === nfsStatus.io) report(context, caller, error)
      out.rewind(start)
      out.u32(status)
      if (onFailure === 'attributes') writePostOp(out, attributesIn(error))
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
 * A procedure that replies NFS3ERR_ROFS, followed by "no attributes" `absent` times.
 * All arguments begin with a handle. The rest is not read: a write is refused, well-formed or not.
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
  const name = readName(args)
  args.end()
  const folder = await namespace.findFolder(handle, who)
  if (name.type === 'too-long') throw new NfsFailure(nfsStatus.nameTooLong, folder.attributes)
  const path = name.type === 'name' ? pathInFolder(folder.path, name.name) : undefined
  const found = path === undefined ? undefined : await findBelow(namespace, folder.path, path, who)
  if (!found) {
    // For the log and the metrics: an NFS client asks for a missing file by LOOKUP only.
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
  const foundHandle = namespace.handles.handle(found)
  // A handle of a long path works only with the table of paths, which must be on the disk first.
  await namespace.handles.saved()
  out.u32(nfsStatus.ok).opaque(foundHandle)
  writePostOp(out, found.attributes)
  writePostOp(out, folder.attributes)
}

/** `.` and `..` are folders, also where a client that was given a path through a symlink stands in its folder. */
function findBelow(namespace: NfsNamespace, folder: CleanPath, path: CleanPath, who: Requester) {
  return parentPath(path) === folder && path !== folder
    ? namespace.findName(path, who)
    : namespace.findPath(path, who)
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

/**
 * FSSTAT, procedure 18: says that the file system has no room at all. Clients do not learn how much is
 * stored.
 */
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
  { who, transport }: Caller,
): Promise<void> {
  const { attributes } = await namespace.find(onlyHandle(args), who)
  const maxBytes = maxReadBytes[transport]
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(maxBytes).u32(maxBytes).u32(transferMultiple) // READ: maximum, preferred size, multiple
  out.u32(writeBytes).u32(writeBytes).u32(transferMultiple)
  out.u32(Math.min(maxListBytes[transport], 64 * 1024)) // READDIR: preferred size
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

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
import { maxReadBytes, type ReadMeans, read } from './read.ts'
import { Listings, maxListBytes, readdir, readdirPlus } from './readdir.ts'
import { maxNameBytes, pathInFolder, readHandle, readName, type Shelf } from './shelf.ts'
import { NfsFailure, nfsStatus, statusOf } from './status.ts'
import type { XdrReader, XdrWriter } from './xdr.ts'

export const nfsProgram = 100003

/** ACCESS bits of RFC 1813 section 3.3.4 that a reader can have: READ, LOOKUP. */
const accessRead = 1
const accessLookup = 2

/** FSINFO properties: symbolic links, and PATHCONF the same everywhere. */
const properties = 0x02 | 0x08
const maxFileSize = 0x7fff_ffff_ffff_ffffn
/** Nobody writes; but a client divides by these. */
const writeBytes = 64 * 1024
const multiple = 4096

type Work = (args: XdrReader, out: XdrWriter, caller: Caller) => Promise<Payload | undefined> | Promise<void>

/** NFS version 3, RFC 1813: everything that reads, and a plain no to everything that writes. */
export function nfs3Program(means: ReadMeans, events: EventSink): Program {
  const { shelf } = means
  const listings = new Listings(shelf)
  const reading = (work: Work): Procedure => guarded(work, 'attributes', events)
  const procedures = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, guarded((args, out, caller) => getattr(shelf, args, out, caller), 'nothing', events)],
    [2, refuseWrite(2)], // SETATTR
    [3, reading((args, out, caller) => lookup(shelf, args, out, caller, events))],
    [4, reading((args, out, caller) => access(shelf, args, out, caller))],
    [5, reading((args, out, caller) => readlink(shelf, args, out, caller))],
    [6, reading((args, out, caller) => read(means, args, out, caller))],
    [7, refuseWrite(2)], // WRITE
    [8, refuseWrite(2)], // CREATE
    [9, refuseWrite(2)], // MKDIR
    [10, refuseWrite(2)], // SYMLINK
    [11, refuseWrite(2)], // MKNOD
    [12, refuseWrite(2)], // REMOVE
    [13, refuseWrite(2)], // RMDIR
    [14, refuseWrite(4)], // RENAME: two folders
    [15, refuseWrite(3)], // LINK: the file's attributes, then the folder
    [16, reading((args, out, caller) => readdir(shelf, listings, args, out, caller))],
    [17, reading((args, out, caller) => readdirPlus(shelf, listings, args, out, caller))],
    [18, reading((args, out, caller) => fsstat(shelf, args, out, caller))],
    [19, reading((args, out, caller) => fsinfo(shelf, args, out, caller))],
    [20, reading((args, out, caller) => pathconf(shelf, args, out, caller))],
    [21, refuseWrite(2)], // COMMIT
  ])
  return { number: nfsProgram, versions: new Map([[3, procedures]]) }
}

/** What fails gets its status, and the attributes where the failing result has room for them. */
function guarded(work: Work, failed: 'attributes' | 'nothing', events: EventSink): Procedure {
  return async (args, out, caller) => {
    const start = out.length
    try {
      return (await work(args, out, caller)) ?? undefined
    } catch (error) {
      const status = statusOf(error)
      if (error instanceof Error && error.name === 'XdrError') throw error
      if (status === nfsStatus.serverFault || status === nfsStatus.io)
        events({
          type: 'trouble',
          where: 'nfs',
          message: `${caller.who.address}: ${(error as Error).message}`,
        })
      out.rewind(start)
      out.u32(status)
      if (failed === 'attributes')
        writePostOp(out, error instanceof NfsFailure ? error.attributes : undefined)
      return undefined
    }
  }
}

/**
 * NFS3ERR_ROFS, and so many times "no attributes": `wcc_data` is two of them. The arguments all begin with a handle;
 * what follows need not make sense to be refused.
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

async function getattr(shelf: Shelf, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const found = await shelf.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writeAttributes(out, found.attributes)
}

async function lookup(
  shelf: Shelf,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
  events: EventSink,
): Promise<void> {
  const handle = readHandle(args)
  const asked = readName(args)
  args.end()
  const folder = await shelf.findFolder(handle, who)
  if (asked.type === 'too-long') throw new NfsFailure(nfsStatus.nameTooLong, folder.attributes)
  const path = asked.type === 'name' ? pathInFolder(folder.path, asked.name) : undefined
  const found = path === undefined ? undefined : await shelf.at(path, who)
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
  const name = shelf.handles.handle(found.path)
  await shelf.handles.saved()
  out.u32(nfsStatus.ok).opaque(name)
  writePostOp(out, found.attributes)
  writePostOp(out, folder.attributes)
}

async function access(shelf: Shelf, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const handle = readHandle(args)
  const wanted = args.u32()
  args.end()
  const { attributes } = await shelf.find(handle, who)
  const granted = attributes.kind === 'folder' ? accessRead | accessLookup : accessRead
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(wanted & granted)
}

async function readlink(shelf: Shelf, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const { entry, attributes } = await shelf.find(onlyHandle(args), who)
  if (entry.kind !== 'symlink' || entry.target === undefined)
    throw new NfsFailure(nfsStatus.invalid, attributes)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.string(entry.target)
}

/** How much room there is: none, and nobody may ask how much lies here. */
async function fsstat(shelf: Shelf, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const { attributes } = await shelf.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  for (let i = 0; i < 6; i++) out.u64(0) // total, free and available: bytes, then files
  out.u32(0) // invarsec: it may change at any time
}

async function fsinfo(shelf: Shelf, args: XdrReader, out: XdrWriter, caller: Caller): Promise<void> {
  const { attributes } = await shelf.find(onlyHandle(args), caller.who)
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

async function pathconf(shelf: Shelf, args: XdrReader, out: XdrWriter, { who }: Caller): Promise<void> {
  const { attributes } = await shelf.find(onlyHandle(args), who)
  out.u32(nfsStatus.ok)
  writePostOp(out, attributes)
  out.u32(1).u32(maxNameBytes) // links, length of a name
  out.bool(true).bool(true).bool(false).bool(true) // no truncation, chown restricted, case: significant and kept
}

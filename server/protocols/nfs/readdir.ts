import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'
import { attributesBytes, postOpBytes, writePostOp } from './attributes.ts'
import type { Caller, Transport } from './dispatch.ts'
import { type Found, type NfsNamespace, readHandle } from './namespace.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import { padding, type XdrReader, type XdrWriter } from './xdr.ts'

/** The most bytes of one reply, whatever the client allows: over UDP it must fit a datagram. */
export const maxListBytes: Record<Transport, number> = { tcp: 256 * 1024, udp: 32 * 1024 }

/** One name of a listing. */
export interface ListedName {
  readonly name: string
  readonly nameBytes: Buffer
  readonly path: CleanPath
  readonly cookie: bigint
  /** Undefined for `.` and `..`. */
  readonly entry: Entry | undefined
}

/** How long a client may page through a listing before the folder is read again. */
const listingMs = 5_000
/** Names kept by all listings together. */
const maxListedNames = 400_000

/** 1 and 2 are `.` and `..`; 0 is where a client begins. */
const firstCookie = 3n
/** Some clients take a cookie for a signed number. */
const cookieMask = 0x7fff_ffff_ffff_ffffn

/**
 * The cookie of a name is its fileid, and names come in the order of their cookies. So a cookie stays valid
 * while other files come and go in the folder. A client that lists while a tree is being copied misses no
 * file that was there all the time, and sees none twice, and a restart of the server does not disturb it.
 */
export function orderListing(
  namespace: NfsNamespace,
  folder: CleanPath,
  entries: readonly Entry[],
): ListedName[] {
  const listed = entries.map((entry): ListedName => {
    const path = joinPath(folder, entry.name)
    const number = namespace.handles.fileid(path) & cookieMask
    const cookie = number < firstCookie ? number + firstCookie : number
    return { name: entry.name, nameBytes: Buffer.from(entry.name, 'utf8'), path, cookie, entry }
  })
  listed.sort((a, b) => (a.cookie < b.cookie ? -1 : 1))
  return [dots('.', folder, 1n), dots('..', parentPath(folder), 2n), ...listed]
}

function dots(name: string, path: CleanPath, cookie: bigint): ListedName {
  return { name, nameBytes: Buffer.from(name), path, cookie, entry: undefined }
}

/** Index of the first name after `cookie`. */
export function indexAfter(listing: readonly ListedName[], cookie: bigint): number {
  let [low, high] = [0, listing.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const at = listing[middle]
    if (at && at.cookie <= cookie) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The folders that clients page through. Cookie 0 reads the folder again, so a new listing is never an old
 * one.
 */
export class Listings {
  readonly #namespace: NfsNamespace
  readonly #kept = new LRUCache<string, readonly ListedName[]>({
    maxSize: maxListedNames,
    sizeCalculation: (listing) => listing.length,
    ttl: listingMs,
  })

  constructor(namespace: NfsNamespace) {
    this.#namespace = namespace
  }

  async get(path: CleanPath, who: Requester, cookie: bigint): Promise<readonly ListedName[]> {
    const key = `${who.address} ${who.localAddress ?? ''} ${path}`
    const kept = cookie === 0n ? undefined : this.#kept.get(key)
    if (kept) return kept
    const entries = await this.#namespace.list(path, who)
    if (!entries) throw new NfsFailure(nfsStatus.stale)
    const listing = orderListing(this.#namespace, path, entries)
    this.#kept.set(key, listing)
    return listing
  }
}

/** Bytes around the entries. The status is not counted (RFC 1813: the size of the READDIR3resok). */
const frameBytes = postOpBytes + 8 + 4 + 4

/** What READDIR and READDIRPLUS need besides their arguments. */
export interface ListContext {
  readonly namespace: NfsNamespace
  readonly listings: Listings
}

/** The part of a listing that one reply begins with. */
interface Page {
  readonly folder: Found
  readonly listing: readonly ListedName[]
  /** Index of its first name. */
  readonly from: number
  /** Bytes for entries. */
  readonly room: number
}

/** READDIR, procedure 16. */
export async function readdir(
  context: ListContext,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<void> {
  const handle = readHandle(args)
  const cookie = args.u64()
  args.u64() // the verifier: see `orderListing`
  const count = args.u32()
  args.end()
  const page = await openPage(context, { handle, cookie, count }, caller)
  let used = 0
  writePage(out, page, (item) => {
    used += entryBytes(item)
    if (used > page.room) return false
    writeName(out, context.namespace, item)
    return true
  })
}

/**
 * READDIRPLUS, procedure 17. `dircount` is the room for names, numbers and cookies; `maxcount` for everything
 * (RFC 1813 section 3.3.17).
 */
export async function readdirPlus(
  context: ListContext,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<void> {
  const { namespace } = context
  const handle = readHandle(args)
  const cookie = args.u64()
  args.u64() // the verifier: see `orderListing`
  const dirCount = args.u32()
  const count = args.u32()
  args.end()
  const page = await openPage(context, { handle, cookie, count }, caller)
  // The handles of the whole folder at its first page: one write to the disk, and none for the pages that
  // follow.
  if (cookie === 0n) for (const { path } of page.listing) namespace.handles.handle(path)
  let [used, names] = [0, 0]
  writePage(out, page, (item) => {
    const plus = plusOf(namespace, page.folder, item)
    names += entryBytes(item)
    used += entryBytes(item) + plusBytes(plus)
    if (used > page.room || names > dirCount) return false
    writeName(out, namespace, item)
    writePostOp(out, plus?.attributes)
    out.bool(plus !== undefined)
    if (plus) out.opaque(plus.handle)
    return true
  })
  await namespace.handles.saved()
}

async function openPage(
  { namespace, listings }: ListContext,
  { handle, cookie, count }: { readonly handle: Buffer; readonly cookie: bigint; readonly count: number },
  { who, transport }: Caller,
): Promise<Page> {
  const folder = await namespace.findFolder(handle, who)
  const listing = await listings.get(folder.path, who, cookie)
  const room = Math.min(count, maxListBytes[transport]) - frameBytes
  return { folder, listing, from: indexAfter(listing, cookie), room }
}

/** Writes a page: its names one after another, until `writeEntry` has no room for the next. */
function writePage(
  out: XdrWriter,
  { folder, listing, from }: Page,
  writeEntry: (item: ListedName) => boolean,
): void {
  out.u32(nfsStatus.ok)
  writePostOp(out, folder.attributes)
  // The verifier tells which state of the folder this is. We never refuse an older one: see `orderListing`.
  out.u64(folder.attributes.modifiedMs > 0 ? Math.floor(folder.attributes.modifiedMs) : 0)
  let at = from
  for (let item = listing[at]; item && writeEntry(item); item = listing[at]) at++
  if (at === from && from < listing.length) throw new NfsFailure(nfsStatus.tooSmall, folder.attributes)
  out.bool(false).bool(at >= listing.length)
}

function writeName(out: XdrWriter, namespace: NfsNamespace, item: ListedName): void {
  out.bool(true).u64(namespace.handles.fileid(item.path)).opaque(item.nameBytes).u64(item.cookie)
}

/** The bytes of a marker (1), fileid, name and cookie. */
function entryBytes({ nameBytes }: ListedName): number {
  return 4 + 8 + 4 + nameBytes.length + padding(nameBytes.length) + 8
}

/**
 * The result of a lookup of that name. Left out for symlinks, which a listing shows and a lookup follows, for
 * `..`, and for names that cannot be looked up: a client that needs it sends a LOOKUP.
 */
function plusOf(namespace: NfsNamespace, folder: Found, item: ListedName) {
  const { path, entry } = item
  if (item.name === '.')
    return { attributes: folder.attributes, handle: namespace.handles.handle(folder.path) }
  if (!entry || entry.kind === 'symlink') return undefined
  return { attributes: namespace.attributes(path, entry), handle: namespace.handles.handle(path) }
}

function plusBytes(plus: ReturnType<typeof plusOf>): number {
  if (!plus) return 8
  return 4 + attributesBytes + 4 + 4 + plus.handle.length + padding(plus.handle.length)
}

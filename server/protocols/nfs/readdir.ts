import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'
import { attributesBytes, postOpBytes, writePostOp } from './attributes.ts'
import type { Caller, Transport } from './dispatch.ts'
import { type Found, readHandle, type Shelf } from './shelf.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import { padding, type XdrReader, type XdrWriter } from './xdr.ts'

/** Bytes of one answer, whatever the client allows: over UDP it must fit a datagram. */
export const maxListBytes: Record<Transport, number> = { tcp: 256 * 1024, udp: 32 * 1024 }

/** One line of a listing. */
export interface ListedName {
  readonly name: string
  readonly nameBytes: Buffer
  readonly path: CleanPath
  readonly cookie: bigint
  /** Undefined for `.` and `..`. */
  readonly entry: Entry | undefined
}

/** How long a listing may be paged through without being looked at anew, and names held by all listings together. */
const listingMs = 5_000
const maxListedNames = 400_000

/** 1 and 2 are `.` and `..`; 0 is where a client begins. */
const firstCookie = 3n
/** Some clients take a cookie for a signed number. */
const cookieMask = 0x7fff_ffff_ffff_ffffn

/**
 * A name's cookie is its file's number, and names come in the order of their cookies. So a cookie stays right
 * whatever else comes or goes in the folder: a client that lists while a tree is being copied misses nothing that
 * was there all the time and sees nothing twice, and no restart of ours disturbs it.
 */
export function orderListing(shelf: Shelf, folder: CleanPath, entries: readonly Entry[]): ListedName[] {
  const listed = entries.map((entry): ListedName => {
    const path = joinPath(folder, entry.name)
    const number = shelf.handles.fileid(path) & cookieMask
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

/** Folders being paged through. Cookie 0 looks anew, so a new listing is never an old one. */
export class Listings {
  readonly #shelf: Shelf
  readonly #kept = new LRUCache<string, readonly ListedName[]>({
    maxSize: maxListedNames,
    sizeCalculation: (listing) => listing.length,
    ttl: listingMs,
  })

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  async get(path: CleanPath, who: Requester, cookie: bigint): Promise<readonly ListedName[]> {
    const key = `${who.address} ${who.localAddress ?? ''} ${path}`
    const kept = cookie === 0n ? undefined : this.#kept.get(key)
    if (kept) return kept
    const entries = await this.#shelf.list(path, who)
    if (!entries) throw new NfsFailure(nfsStatus.stale)
    const listing = orderListing(this.#shelf, path, entries)
    this.#kept.set(key, listing)
    return listing
  }
}

/** Bytes around the entries: status is not counted (RFC 1813: the size of the READDIR3resok). */
const frameBytes = postOpBytes + 8 + 4 + 4

/** READDIR, procedure 16. */
export async function readdir(
  shelf: Shelf,
  listings: Listings,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<void> {
  const handle = readHandle(args)
  const cookie = args.u64()
  args.u64()
  const count = args.u32()
  args.end()
  const folder = await shelf.findFolder(handle, caller.who)
  const listing = await listings.get(folder.path, caller.who, cookie)
  begin(out, folder)
  const room = Math.min(count, maxListBytes[caller.transport]) - frameBytes
  const from = indexAfter(listing, cookie)
  let used = 0
  let at = from
  for (let item = listing[at]; item; item = listing[++at]) {
    used += entryBytes(item)
    if (used > room) break
    writeName(out, shelf, item)
  }
  end(out, folder, listing.length, from, at)
}

/**
 * READDIRPLUS, procedure 17. `dircount` is the room for names, numbers and cookies; `maxcount` for everything
 * (RFC 1813 section 3.3.17).
 */
export async function readdirPlus(
  shelf: Shelf,
  listings: Listings,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<void> {
  const handle = readHandle(args)
  const cookie = args.u64()
  args.u64()
  const dirCount = args.u32()
  const maxCount = args.u32()
  args.end()
  const folder = await shelf.findFolder(handle, caller.who)
  const listing = await listings.get(folder.path, caller.who, cookie)
  // All handles of the folder at its first page: one write to the disk, and none for the pages that follow.
  if (cookie === 0n) for (const { path } of listing) shelf.handles.handle(path)
  begin(out, folder)
  const room = Math.min(maxCount, maxListBytes[caller.transport]) - frameBytes
  const from = indexAfter(listing, cookie)
  let [used, names] = [0, 0]
  let at = from
  for (let item = listing[at]; item; item = listing[++at]) {
    const plus = plusOf(shelf, folder, item)
    names += entryBytes(item)
    used += entryBytes(item) + plusBytes(plus)
    if (used > room || names > dirCount) break
    writeName(out, shelf, item)
    writePostOp(out, plus?.attributes)
    out.bool(plus !== undefined)
    if (plus) out.opaque(plus.handle)
  }
  end(out, folder, listing.length, from, at)
  await shelf.handles.saved()
}

function begin(out: XdrWriter, folder: Found): void {
  out.u32(nfsStatus.ok)
  writePostOp(out, folder.attributes)
  // The verifier tells which state of the folder this is. We never refuse an older one: see `orderListing`.
  out.u64(folder.attributes.modifiedMs > 0 ? Math.floor(folder.attributes.modifiedMs) : 0)
}

function end(out: XdrWriter, folder: Found, length: number, from: number, at: number): void {
  if (at === from && from < length) throw new NfsFailure(nfsStatus.tooSmall, folder.attributes)
  out.bool(false).bool(at >= length)
}

function writeName(out: XdrWriter, shelf: Shelf, item: ListedName): void {
  out.bool(true).u64(shelf.handles.fileid(item.path)).opaque(item.nameBytes).u64(item.cookie)
}

/** One, fileid, name, cookie. */
function entryBytes({ nameBytes }: ListedName): number {
  return 4 + 8 + 4 + nameBytes.length + padding(nameBytes.length) + 8
}

/**
 * What a lookup of that name would give. Left out for symlinks, which a listing shows and a lookup follows, and for
 * `..` and names that nothing can be looked up by: the client asks when it wants to know.
 */
function plusOf(shelf: Shelf, folder: Found, item: ListedName) {
  if (item.name === '.') return { attributes: folder.attributes, handle: shelf.handles.handle(folder.path) }
  if (!item.entry || item.entry.kind === 'symlink') return undefined
  return { attributes: shelf.attributes(item.path, item.entry), handle: shelf.handles.handle(item.path) }
}

function plusBytes(plus: ReturnType<typeof plusOf>): number {
  if (!plus) return 8
  return 4 + attributesBytes + 4 + 4 + plus.handle.length + padding(plus.handle.length)
}

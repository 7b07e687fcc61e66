import { LRUCache } from 'lru-cache'
import type { Requester } from '../../core/net/requester.ts'
import { type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'
import { attributesBytes, postOpBytes, writePostOp } from './attributes.ts'
import type { Caller, Transport } from './dispatch.ts'
import type { Place } from './handles.ts'
import { type Found, type NfsNamespace, placeOf, readHandle } from './namespace.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import { padding, type XdrReader, type XdrWriter } from './xdr.ts'

/** The most bytes of one reply, whatever the client allows: over UDP it must fit a datagram. */
export const maxListBytes: Record<Transport, number> = { tcp: 256 * 1024, udp: 32 * 1024 }

/** One name of a listing, with its cookie: the number that a client sends to continue after this name. */
export interface ListedName extends Place {
  readonly name: string
  readonly nameBytes: Buffer
  readonly cookie: bigint
  /** Undefined for `.` and `..`. */
  readonly entry: Entry | undefined
}

/** How long a client may page through a listing before the folder is read again. */
const listingMs = 5_000
/** Names kept by all listings together. */
const maxListedNames = 400_000

/** The first cookie of an entry: 0 asks for the beginning of the folder, and 1 and 2 are `.` and `..`. */
const firstCookie = 3n
/** Some clients take a cookie for a signed number. */
const cookieMask = 0x7fff_ffff_ffff_ffffn

/**
 * The names of a folder with their cookies, in the order of the cookies. The cookie of a name is its fileid.
 * So a cookie stays valid while other files come and go in the folder, and after a restart: the cookie
 * verifier need not be checked. A client that lists a folder while a tree is being copied misses no file that
 * was there all the time, and sees no file twice.
 */
export function orderListing(
  namespace: NfsNamespace,
  folder: CleanPath,
  entries: readonly Entry[],
): ListedName[] {
  const listed = entries.map((entry): ListedName => {
    const place = placeOf(joinPath(folder, entry.name), entry)
    const number = namespace.handles.fileid(place) & cookieMask
    const cookie = number < firstCookie ? number + firstCookie : number
    return { ...place, name: entry.name, nameBytes: Buffer.from(entry.name, 'utf8'), cookie, entry }
  })
  listed.sort((a, b) => (a.cookie < b.cookie ? -1 : 1))
  return [dots('.', folder, 1n), dots('..', parentPath(folder), 2n), ...listed]
}

function dots(name: string, path: CleanPath, cookie: bigint): ListedName {
  return { name, nameBytes: Buffer.from(name), path, isLink: false, cookie, entry: undefined }
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
 * The listings that clients page through, kept for some seconds. Cookie 0 reads the folder again, so a client
 * that begins anew never gets an old listing.
 */
export class Listings {
  readonly #namespace: NfsNamespace
  /** By client, our address that it uses, and path. */
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

/** Bytes of a reply besides its entries. The status is not counted: RFC 1813 limits the READDIR3resok. */
const frameBytes = postOpBytes + 8 + 4 + 4 // attributes, cookie verifier, end of the list, eof

/** What READDIR and READDIRPLUS need besides their arguments. */
export interface ListContext {
  readonly namespace: NfsNamespace
  readonly listings: Listings
}

/** Where one reply begins in a listing, and how many bytes of entries it may have. */
interface Page {
  readonly folder: Found
  readonly listing: readonly ListedName[]
  /** Index in `listing` of the first name to write. */
  readonly from: number
  /** The most bytes of entries. */
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
  args.u64() // the cookie verifier is not checked: our cookies stay valid (`orderListing`)
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
 * READDIRPLUS, procedure 17. `dircount` limits the bytes of names, fileids and cookies, `maxcount` those of
 * the whole result (RFC 1813 section 3.3.17).
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
  args.u64() // the cookie verifier is not checked: our cookies stay valid (`orderListing`)
  const dirCount = args.u32()
  const count = args.u32()
  args.end()
  const page = await openPage(context, { handle, cookie, count }, caller)
  // Makes all handles of the folder at its first page, so that the table of long paths is written only once.
  if (cookie === 0n) for (const item of page.listing) namespace.handles.handle(item)
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
  // The cookie verifier names the state of the folder. Clients send it back, but we never check it.
  out.u64(folder.attributes.modifiedMs > 0 ? Math.floor(folder.attributes.modifiedMs) : 0)
  let at = from
  for (let item = listing[at]; item && writeEntry(item); item = listing[at]) at++
  if (at === from && from < listing.length) throw new NfsFailure(nfsStatus.tooSmall, folder.attributes)
  out.bool(false).bool(at >= listing.length)
}

function writeName(out: XdrWriter, namespace: NfsNamespace, item: ListedName): void {
  out.bool(true).u64(namespace.handles.fileid(item)).opaque(item.nameBytes).u64(item.cookie)
}

/** The bytes of one entry: value-follows, fileid, name and cookie. */
function entryBytes({ nameBytes }: ListedName): number {
  return 4 + 8 + 4 + nameBytes.length + padding(nameBytes.length) + 8
}

/** The attributes and the handle that READDIRPLUS adds to a name. They are left out for `..`. */
function plusOf(namespace: NfsNamespace, folder: Found, item: ListedName) {
  if (item.name === '.') return { attributes: folder.attributes, handle: namespace.handles.handle(folder) }
  if (!item.entry) return undefined
  return { attributes: namespace.attributes(item, item.entry), handle: namespace.handles.handle(item) }
}

function plusBytes(plus: ReturnType<typeof plusOf>): number {
  if (!plus) return 8 // two FALSE: no attributes, no handle
  return 4 + attributesBytes + 4 + 4 + plus.handle.length + padding(plus.handle.length)
}

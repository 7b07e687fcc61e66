import type { ReleaseId } from '../core/guest/state.ts'
import type { Connection, Requester } from '../core/net/requester.ts'
import { lru } from '../host/lru.ts'

export interface VersionViewsOptions {
  /** The version that the machine at an address sees until its installation ends; undefined without one. */
  readonly bound: (address: string) => ReleaseId | undefined
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** A client that fetches nothing new for this long gets the newest version. */
const pauseMs = 30_000
/**
 * When two open connections of one address both fetch within this time, they belong to several clients, or to
 * one client that fetches in parallel.
 */
const turnsMs = 1_000
/** How long such an address counts as shared by several clients. */
const sharedMs = 2_000
/** How many addresses are remembered. */
const mostClients = 10_000
/** How many paths are remembered for each client and tree, to notice that the client fetches a path again. */
const mostPaths = 64

/**
 * File names that a client reads first, and reads again when it starts over: descriptors of trees and indexes
 * of repositories. Measured with virt-install 4.1, anaconda 40, debian-installer 12, linuxrc 15.6 and dnf
 * 4.18.
 */
const firstNames: ReadonlySet<string> = new Set([
  '.treeinfo',
  'treeinfo',
  '.discinfo',
  'media.repo',
  'repomd.xml',
  'content',
  'media',
  'products',
  'info',
  'MANIFEST',
  'VERSION',
  'Release',
  'InRelease',
  'SHA256SUMS',
  'CHECKSUM',
  'CHECKSUMS',
])

/** A file of a published tree that a client fetches. */
export interface FetchedTreeFile {
  /** The version that the file belongs to. */
  readonly release: ReleaseId
  /** The path inside of the tree. */
  readonly path: string
  /** How long the transfer has taken until now. */
  readonly transferMs: number
}

/** The version of one published tree that a client has begun to fetch. */
interface View {
  readonly version: number
  /** The first paths inside of the tree that it fetched, at most `mostPaths`. */
  readonly paths: Set<string>
  /** When the client began with this version. */
  readonly sinceMs: number
  /** When it last fetched something new. */
  lastMs: number
}

interface Client {
  /** By id of the published tree. */
  readonly views: Map<string, View>
  /** The connection that fetched last. */
  connection?: Connection
  /** When that connection last fetched. */
  fetchedMs: number
  /** Until this time the address counts as shared by several clients. */
  sharedUntilMs: number
}

/**
 * Which version of a published tree each client sees. When another version becomes current, a client that has
 * begun to fetch the old version keeps seeing it, so that it does not install the kernel of one version and
 * the packages of another. How long it keeps the old version:
 *
 * - A machine that was offered an installation keeps it until the installation ends (`GuestState.offers`).
 * - Any other client is known by its address alone. It keeps the version until it pauses for half a minute or
 *   starts over, which means that it reads a descriptor again or asks the lookup. Where several connections
 *   of one address fetch at the same time (a NAT, a proxy), one client may start over while another still
 *   fetches; so only the pause counts there.
 *
 * All other clients see the newest version at once. Only fetches and lookups change a view; `versionFor` and
 * `versionsOf` change nothing.
 */
export class VersionViews {
  readonly #bound: VersionViewsOptions['bound']
  readonly #clock: () => number
  readonly #clients = lru<string, Client>(mostClients)

  constructor(options: VersionViewsOptions) {
    this.#bound = options.bound
    this.#clock = options.clock ?? Date.now
  }

  /**
   * The version of a published tree in which a client sees a path.
   *
   * @param current The newest version. All clients see it unless they have begun to fetch another version.
   * @param path The path inside of the tree.
   */
  versionFor(who: Requester, current: ReleaseId, path: string): number {
    if (who.protocol === 'internal' || who.address === '') return current.version
    const bound = this.#bound(who.address)
    if (bound?.id === current.id) return bound.version
    const client = this.#clients.peek(who.address)
    const view = client?.views.get(current.id)
    if (!client || !view) return current.version
    const nowMs = this.#clock()
    return this.#hasStartedOver(view, current, { path, who, nowMs, client }) ? current.version : view.version
  }

  /** The versions that a client has begun to fetch, by id of the published tree. */
  versionsOf(who: Requester): ReadonlyMap<string, number> {
    const bound = this.#bound(who.address)
    const views = this.#clients.peek(who.address)?.views
    if (!views || views.size === 0) return bound ? new Map([[bound.id, bound.version]]) : none
    const nowMs = this.#clock()
    const seen = new Map<string, number>()
    for (const [id, { version, lastMs }] of views) if (nowMs - lastMs <= pauseMs) seen.set(id, version)
    if (bound) seen.set(bound.id, bound.version)
    return seen
  }

  /** Notes that a client is being sent, or was sent, a file of a tree. */
  fetched(who: Requester, { release, path, transferMs }: FetchedTreeFile): void {
    if (who.protocol === 'internal' || who.address === '') return
    const nowMs = this.#clock()
    const client = this.#clientOf(who, nowMs)
    const view = client.views.get(release.id)
    const isPaused = view !== undefined && nowMs - view.lastMs > pauseMs
    // This transfer began before the client started over with another version: it changes nothing.
    if (view && view.version !== release.version && nowMs - transferMs < view.sinceMs) return
    if (view?.version !== release.version || isPaused) {
      const { id, version } = release
      client.views.set(id, { version, paths: new Set([path]), sinceMs: nowMs, lastMs: nowMs })
      return
    }
    // Once the list is full, every path counts as new.
    const isNew = view.paths.size >= mostPaths || !view.paths.has(path)
    // A client that fetches the same file again and again waits for something, mostly for the next version:
    // that is a pause. On a shared address and by NFS, fetching a file again is normal work.
    if (isNew || nowMs < client.sharedUntilMs || who.protocol === 'nfs') view.lastMs = nowMs
    if (view.paths.size < mostPaths) view.paths.add(path)
  }

  /** Notes that a transfer ended. While a long transfer runs, the client does not pause. */
  transferred(address: string, ms: number): void {
    // After a short transfer, `fetched` alone decides whether the client pauses.
    if (ms < pauseMs / 2) return
    const nowMs = this.#clock()
    for (const view of this.#clients.peek(address)?.views.values() ?? []) view.lastMs = nowMs
  }

  /** Notes that a client asked the lookup: it starts over, unless several clients may share its address. */
  lookedUp(who: Requester): void {
    const nowMs = this.#clock()
    const client = this.#clients.peek(who.address)
    if (!client) return
    this.#noteConnection(client, who.connection, nowMs)
    if (nowMs >= client.sharedUntilMs) client.views.clear()
  }

  /**
   * Whether a client that asks for this path has paused or starts over, so that it sees the newest version.
   * NFS clients read the same file again and again, and FTP resumes a file by its name alone. So by FTP only
   * a descriptor shows that a client starts over, and by NFS not even a descriptor does. A client of HTTP or
   * TFTP that fetched only this one path has no other file that could disagree with a newer version; when
   * HTTP resumes the file, its ETag shows the change.
   */
  #hasStartedOver(
    view: View,
    current: ReleaseId,
    asked: {
      readonly path: string
      readonly who: Requester
      readonly nowMs: number
      readonly client: Client
    },
  ): boolean {
    const { path, who, nowMs, client } = asked
    if (nowMs - view.lastMs > pauseMs) return true
    const isShared = nowMs < client.sharedUntilMs || this.#isSecondConnection(client, who.connection, nowMs)
    if (view.version === current.version || isShared || who.protocol === 'nfs' || !view.paths.has(path))
      return false
    if (path === '/' || firstNames.has(path.slice(path.lastIndexOf('/') + 1))) return true
    return view.paths.size === 1 && who.protocol !== 'ftp'
  }

  #clientOf(who: Requester, nowMs: number): Client {
    const existing = this.#clients.get(who.address)
    const client = existing ?? { views: new Map<string, View>(), fetchedMs: 0, sharedUntilMs: 0 }
    this.#noteConnection(client, who.connection, nowMs)
    if (!existing) this.#clients.set(who.address, client)
    return client
  }

  /** Whether another connection of this address, which is still open, fetched within the last second. */
  #isSecondConnection(client: Client, connection: Connection | undefined, nowMs: number): boolean {
    const last = client.connection
    if (!connection || !last || last === connection) return false
    return last.readyState === 'open' && nowMs - client.fetchedMs < turnsMs
  }

  /** Remembers the connection that fetches, and whether several clients may share the address. */
  #noteConnection(client: Client, connection: Connection | undefined, nowMs: number): void {
    if (!connection) return
    if (this.#isSecondConnection(client, connection, nowMs)) client.sharedUntilMs = nowMs + sharedMs
    client.connection = connection
    client.fetchedMs = nowMs
  }
}

const none: ReadonlyMap<string, number> = new Map()

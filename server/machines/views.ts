import { LRUCache } from 'lru-cache'
import type { ReleaseId } from '../core/guest/state.ts'
import type { Connection, Requester } from '../core/net/requester.ts'

export interface VersionViewsOptions {
  /** The version that the machine at an address is bound to until its installation ends. */
  readonly bound: (address: string) => ReleaseId | undefined
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** After this long without fetching anything new, a client gets the newest version. */
const pauseMs = 30_000
/** Two connections that fetch in turns within so short a time are two clients, or one that works in parallel. */
const turnsMs = 1_000
/** How long an address counts as shared by several clients after that. */
const sharedMs = 2_000
/** Addresses remembered, and of each view the paths that tell whether something is fetched again. */
const mostClients = 10_000
const mostPaths = 64

/**
 * What a client reads first, and reads again when it starts over: descriptors of trees, indexes of repositories, and
 * folders. Measured with virt-install 4.1, anaconda 40, debian-installer 12, linuxrc 15.6 and dnf 4.18.
 */
const entryNames: ReadonlySet<string> = new Set([
  ...['.treeinfo', 'treeinfo', '.discinfo', 'media.repo', 'repomd.xml', 'content', 'media', 'products'],
  ...['info', 'MANIFEST', 'VERSION', 'Release', 'InRelease', 'SHA256SUMS', 'CHECKSUM', 'CHECKSUMS'],
])

/** The version of one published tree that a client is in the middle of. */
interface View {
  readonly version: number
  /** The first paths that it fetched. */
  readonly paths: Set<string>
  readonly sinceMs: number
  lastMs: number
}

interface Client {
  readonly views: Map<string, View>
  /** The connection that fetched last, and when. */
  connection?: Connection
  fetchedMs: number
  sharedUntilMs: number
}

/**
 * Which version of a published tree each client sees. When another version becomes current, a client in the middle of
 * the old one goes on with that, so that it does not install the kernel of one and the packages of another:
 *
 * - a machine that was offered an installation, until that ends (`GuestState.offers`);
 * - any other client, known by its address alone, until it pauses for half a minute, or starts over: it reads a
 *   descriptor again, or asks the lookup. Behind an address where several connections fetch at the same time (a NAT, a
 *   proxy) one client's start is another's middle, so there only the pause counts.
 *
 * All other clients see the newest at once. Only fetches count; asking (`versionFor`, `versionsOf`) changes nothing.
 */
export class VersionViews {
  readonly #bound: VersionViewsOptions['bound']
  readonly #clock: () => number
  readonly #clients = new LRUCache<string, Client>({ max: mostClients })

  constructor(options: VersionViewsOptions) {
    this.#bound = options.bound
    this.#clock = options.clock ?? Date.now
  }

  /**
   * The version that a client sees when it asks for something of a tree.
   *
   * @param current The version that everyone else sees.
   * @param path Inside of the tree.
   */
  versionFor(who: Requester, current: ReleaseId, path: string): number {
    if (who.protocol === 'internal' || who.address === '') return current.version
    const bound = this.#bound(who.address)
    if (bound?.id === current.id) return bound.version
    const client = this.#clients.peek(who.address)
    const view = client?.views.get(current.id)
    if (!client || !view) return current.version
    const nowMs = this.#clock()
    return this.#startsOver(view, current, { path, who, nowMs, client }) ? current.version : view.version
  }

  /** The versions that a client is in the middle of, by id of the published tree. */
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

  /**
   * A client is being sent a file of a tree in this version, or was sent it.
   *
   * @param path Inside of the tree.
   * @param ms How long the transfer has taken until now.
   */
  fetched(who: Requester, release: ReleaseId, path: string, ms: number): void {
    if (who.protocol === 'internal' || who.address === '') return
    const nowMs = this.#clock()
    const client = this.#clientOf(who, nowMs)
    const view = client.views.get(release.id)
    const isPaused = view !== undefined && nowMs - view.lastMs > pauseMs
    // The end of a transfer that began before the client started over with another version.
    if (view && view.version !== release.version && nowMs - ms < view.sinceMs) return
    if (view?.version !== release.version || isPaused) {
      const { id, version } = release
      client.views.set(id, { version, paths: new Set([path]), sinceMs: nowMs, lastMs: nowMs })
      return
    }
    const isNew = view.paths.size >= mostPaths || !view.paths.has(path)
    // A client that fetches the same again and again waits for something, mostly for the next version.
    if (isNew || nowMs < client.sharedUntilMs || who.protocol === 'nfs') view.lastMs = nowMs
    if (view.paths.size < mostPaths) view.paths.add(path)
  }

  /** A transfer ended. A client that was busy with a long one did not pause. */
  transferred(address: string, ms: number): void {
    if (ms < pauseMs / 2) return
    const nowMs = this.#clock()
    for (const view of this.#clients.peek(address)?.views.values() ?? []) view.lastMs = nowMs
  }

  /** A client asked the lookup which trees there are. Unless it may be several clients, it starts over. */
  startsOver(who: Requester): void {
    const nowMs = this.#clock()
    const client = this.#clients.peek(who.address)
    if (!client) return
    this.#fetches(client, who.connection, nowMs)
    if (nowMs >= client.sharedUntilMs) client.views.clear()
  }

  /**
   * NFS clients read the same file again and again, and FTP resumes a file by its name alone. So by FTP only a
   * descriptor tells that a client starts over, and by NFS not even that. An HTTP client that fetched one single path
   * has nothing that could disagree with a newer version, and has its ETag.
   */
  #startsOver(
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
    const isShared = nowMs < client.sharedUntilMs || this.#isOther(client, who.connection, nowMs)
    if (view.version === current.version || isShared || who.protocol === 'nfs' || !view.paths.has(path))
      return false
    if (path === '/' || entryNames.has(path.slice(path.lastIndexOf('/') + 1))) return true
    return view.paths.size === 1 && who.protocol !== 'ftp'
  }

  #clientOf(who: Requester, nowMs: number): Client {
    const known = this.#clients.get(who.address)
    const client = known ?? { views: new Map<string, View>(), fetchedMs: 0, sharedUntilMs: 0 }
    this.#fetches(client, who.connection, nowMs)
    if (!known) this.#clients.set(who.address, client)
    return client
  }

  /** Whether this connection is another one than that which fetched just before, and which is still open. */
  #isOther(client: Client, connection: Connection | undefined, nowMs: number): boolean {
    const before = client.connection
    if (!connection || !before || before === connection) return false
    return before.readyState === 'open' && nowMs - client.fetchedMs < turnsMs
  }

  #fetches(client: Client, connection: Connection | undefined, nowMs: number): void {
    if (!connection) return
    if (this.#isOther(client, connection, nowMs)) client.sharedUntilMs = nowMs + sharedMs
    client.connection = connection
    client.fetchedMs = nowMs
  }
}

const none: ReadonlyMap<string, number> = new Map()

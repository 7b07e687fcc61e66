import type { OfferedRelease } from '../core/guest/state.ts'
import type { Connection, Requester } from '../core/net/requester.ts'
import type { Release } from '../core/tree/tree.ts'
import type { CleanPath } from '../files/path.ts'

export interface TreeViewsOptions {
  /** What the machine at an address is bound to until its installation ends. */
  readonly bound: (address: string) => OfferedRelease | undefined
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** A client that asks for nothing new so long is in the middle of nothing. */
const pauseMs = 30_000
/** Two connections that speak in turns within so short a time are two clients, or one that works in parallel. */
const turnsMs = 1_000
/** How long an address counts as crowded after that. */
const crowdedMs = 2_000
/** Addresses remembered, and of each view the paths that tell whether something is asked for again. */
const mostClients = 10_000
const mostPaths = 64

/**
 * What a client reads first, and reads again when it looks anew: the descriptors of clients.md section 6, the indexes of
 * repositories, and folders.
 */
const entryNames = new Set([
  ...['.treeinfo', 'treeinfo', '.discinfo', 'media.repo', 'repomd.xml', 'content', 'media', 'products'],
  ...['info', 'MANIFEST', 'VERSION', 'Release', 'InRelease', 'SHA256SUMS', 'CHECKSUM', 'CHECKSUMS'],
])

/** A client in the middle of one version of something published. */
interface View {
  readonly version: number
  /** The first paths that it asked for. */
  readonly paths: Set<string>
  lastMs: number
}

interface Client {
  readonly views: Map<string, View>
  /** The connection that spoke last, and when. */
  connection?: Connection
  spokeMs: number
  crowdedUntilMs: number
}

/**
 * Which version of a published tree each client sees. When another version is switched in, whoever is in the middle of
 * the old one goes on with that, so that nobody installs a kernel of one and packages of the other:
 *
 * - a machine that was offered an installation, until that ends (`GuestState`);
 * - any other client, known by its address alone, until it pauses for half a minute, or begins anew: it reads a
 *   descriptor again, or asks the lookup. Behind an address where several connections speak at the same time (a NAT, a
 *   proxy) one client's beginning is another's middle, so there only the pause counts.
 *
 * Everyone else sees the newest at once.
 */
export class TreeViews {
  readonly #options: TreeViewsOptions
  readonly #clock: () => number
  readonly #clients = new Map<string, Client>()

  constructor(options: TreeViewsOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  /**
   * A client asks for something of a tree.
   *
   * @param now The version that everyone else sees.
   * @param path Inside of the tree.
   * @returns The version that this client sees.
   */
  see(who: Requester, now: Release, path: CleanPath): number {
    if (who.protocol === 'internal' || who.address === '') return now.version
    const bound = this.#options.bound(who.address)
    if (bound?.id === now.id) return bound.version
    const nowMs = this.#clock()
    const client = this.#clientOf(who, nowMs)
    const known = client.views.get(now.id)
    const crowded = nowMs < client.crowdedUntilMs
    if (!known || nowMs - known.lastMs > pauseMs || this.#beginsAnew(known, now, path, who, crowded)) {
      client.views.set(now.id, { version: now.version, paths: new Set([path]), lastMs: nowMs })
      return now.version
    }
    const isNew = known.paths.size >= mostPaths || !known.paths.has(path)
    // Whoever asks for the same again and again waits for something, mostly for the next version.
    if (isNew || crowded || who.protocol === 'nfs') known.lastMs = nowMs
    if (known.paths.size < mostPaths) known.paths.add(path)
    return known.version
  }

  /** A client asks what there is: unless it may be several, it is in the middle of nothing. */
  enter(who: Requester): void {
    const nowMs = this.#clock()
    const client = this.#clients.get(who.address)
    if (!client) return
    this.#spoke(client, who.connection, nowMs)
    if (nowMs >= client.crowdedUntilMs) client.views.clear()
  }

  /** The versions that a client is in the middle of, by id of the release. */
  of(who: Requester): ReadonlyMap<string, number> {
    const bound = this.#options.bound(who.address)
    const views = this.#clients.get(who.address)?.views
    if (!views || views.size === 0) return bound ? new Map([[bound.id, bound.version]]) : none
    const nowMs = this.#clock()
    const seen = new Map<string, number>()
    for (const [id, { version, lastMs }] of views) if (nowMs - lastMs <= pauseMs) seen.set(id, version)
    if (bound) seen.set(bound.id, bound.version)
    return seen
  }

  /** A transfer ended. A client that was busy with a long one did not pause. */
  transferred(address: string, ms: number): void {
    if (ms < pauseMs / 2) return
    const nowMs = this.#clock()
    for (const view of this.#clients.get(address)?.views.values() ?? []) view.lastMs = nowMs
  }

  /**
   * NFS asks for the attributes of one file all the time, and FTP resumes a file by its name alone: there only a
   * descriptor tells, or not even that. An HTTP client that met one single path has nothing that could disagree, and has
   * its ETag.
   */
  #beginsAnew(view: View, now: Release, path: CleanPath, who: Requester, crowded: boolean): boolean {
    if (view.version === now.version || crowded || who.protocol === 'nfs' || !view.paths.has(path))
      return false
    if (path === '/' || entryNames.has(path.slice(path.lastIndexOf('/') + 1))) return true
    return view.paths.size === 1 && who.protocol !== 'ftp'
  }

  #clientOf(who: Requester, nowMs: number): Client {
    const known = this.#clients.get(who.address)
    const client = known ?? { views: new Map<string, View>(), spokeMs: 0, crowdedUntilMs: 0 }
    this.#spoke(client, who.connection, nowMs)
    // The one that spoke last is forgotten last.
    if (known) this.#clients.delete(who.address)
    else if (this.#clients.size >= mostClients)
      this.#clients.delete(this.#clients.keys().next().value ?? who.address)
    this.#clients.set(who.address, client)
    return client
  }

  #spoke(client: Client, connection: Connection | undefined, nowMs: number): void {
    if (!connection) return
    const before = client.connection
    if (before && before !== connection && before.readyState === 'open' && nowMs - client.spokeMs < turnsMs)
      client.crowdedUntilMs = nowMs + crowdedMs
    client.connection = connection
    client.spokeMs = nowMs
  }
}

const none: ReadonlyMap<string, number> = new Map()

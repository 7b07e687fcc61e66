import { posix } from 'node:path'
import { PassThrough } from 'node:stream'
import { Client, type FileInfo, FTPError } from 'basic-ftp'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { byName } from '../../files/entry.ts'
import { cleanPath } from '../../files/path.ts'
import { isInside } from '../../host/paths.ts'
import { type AddressGuard, RefusedAddress } from './address-guard.ts'
import { connectionFailure } from './network-faults.ts'
import {
  type GetOptions,
  isPlainName,
  type RemoteBody,
  type RemoteName,
  TransientFailure,
  type Upstream,
} from './upstream.ts'

/** Most servers allow each client address two connections. */
const maxConnections = 2
/** A connection on which no byte arrives for this long is closed. */
const stallMs = upstreamLimits.indexPage.ms
/** The library has the text of a listing in memory, and the items in it. */
const maxListingBytes = upstreamLimits.indexPage.bytes

/** A tree on an FTP server. Every remote path goes through `cleanPath`. */
export class FtpUpstream implements Upstream {
  readonly url: string
  readonly #root: string
  readonly #connections: FtpConnections

  constructor(url: string, guard?: AddressGuard) {
    const at = new URL(url)
    this.url = url.endsWith('/') ? url : `${url}/`
    this.#root = decodeURIComponent(at.pathname)
    this.#connections = new FtpConnections(at, guard)
  }

  async get(path: string, options: GetOptions): Promise<RemoteBody | undefined> {
    const remote = this.#remote(path)
    const client = await this.#connections.take()
    let size: number
    let modifiedMs: number | undefined
    try {
      size = await client.size(remote)
      modifiedMs = await client.lastMod(remote).then(Number, () => undefined)
    } catch (error) {
      this.#connections.giveBack(client, { isUsable: error instanceof FTPError })
      // 550: the file is not found, or not accessible (RFC 959 section 4.2.2).
      if (error instanceof FTPError && error.code === 550) return undefined
      throw transientFailureOf(`${this.url}${path}`, error)
    }
    const validator = modifiedMs === undefined ? undefined : `${size}-${modifiedMs}`
    const isOtherFile = options.validator !== undefined && validator !== options.validator
    const start = isOtherFile || options.start > size ? 0 : options.start
    const body = this.#download(client, remote, start, options.signal)
    return { start, size, body, ...defined({ modifiedMs, validator }) }
  }

  /**
   * An abort does not break off a listing, which is short: `UpstreamPool.ask` sees it before the next request.
   */
  async list(path: string): Promise<readonly RemoteName[] | undefined> {
    const remote = this.#remote(path)
    const client = await this.#connections.take()
    try {
      const names: RemoteName[] = []
      for (const item of await listed(client, remote)) {
        const name = isPlainName(item.name) ? await this.#nameOf(client, remote, item) : undefined
        if (name) names.push(name)
      }
      this.#connections.giveBack(client, { isUsable: true })
      return names.sort(byName)
    } catch (error) {
      this.#connections.giveBack(client, { isUsable: error instanceof FTPError })
      if (error instanceof Failure) throw error
      // 5yz is a permanent refusal (RFC 959 section 4.2.1), also by a server that has no LIST.
      if (error instanceof FTPError && error.code >= 500) return undefined
      throw transientFailureOf(`${this.url}${path}`, error)
    }
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  /** Undefined for a device or a pipe. */
  async #nameOf(client: Client, folder: string, item: FileInfo): Promise<RemoteName | undefined> {
    const { name, link, isSymbolicLink, isFile } = item
    if (isSymbolicLink && link) return { name, target: this.#targetFrom(folder, link) }
    if (await isFolder(client, folder, item)) return { name: `${name}/` }
    return isFile || isSymbolicLink ? { name } : undefined
  }

  /** The target of a link in a folder of the server. One that is absolute, and in the upstream, becomes relative. */
  #targetFrom(folder: string, target: string): string {
    const top = cleanPath(this.#root)
    if (!target.startsWith('/') || !isInside(top, cleanPath(target))) return target
    return posix.relative(folder, cleanPath(target)) || '.'
  }

  #remote(path: string): string {
    return cleanPath(`${this.#root}/${path}`)
  }

  /** Streams a file. The connection is given back when the body was read to its end or abandoned. */
  async *#download(
    client: Client,
    remote: string,
    start: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const pipe = new PassThrough({ highWaterMark: 1 << 20 })
    const stop = (): void => client.close()
    signal?.addEventListener('abort', stop, { once: true })
    let isWhole = false
    const transfer = client.downloadTo(pipe, remote, start).then(
      () => undefined,
      (error: unknown) => {
        pipe.destroy()
        return { error }
      },
    )
    try {
      try {
        for await (const piece of pipe) yield piece as Buffer
      } catch {
        // `transfer` resolves to the reason.
      }
      const failed = await transfer
      if (failed) throw transientFailureOf(remote, failed.error)
      isWhole = true
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#connections.giveBack(client, { isUsable: isWhole })
    }
  }
}

/** A few logged-in connections to one server, each used by one request at a time. */
class FtpConnections {
  readonly #server: URL
  readonly #guard: AddressGuard | undefined
  readonly #idle: Client[] = []
  readonly #all = new Set<Client>()
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #failed = 0

  constructor(server: URL, guard: AddressGuard | undefined) {
    this.#server = server
    this.#guard = guard
  }

  async take(): Promise<Client> {
    while (this.#busy >= maxConnections)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    this.#busy++
    const idle = this.#idle.pop()
    if (idle && !idle.closed) return idle
    const client = new Client(stallMs, { allowSeparateTransferHost: false, maxListingBytes })
    this.#all.add(client)
    const { host, hostname, port, username, password } = this.#server
    try {
      await client.access({
        // Data connections go to the same address: `allowSeparateTransferHost`.
        host: (await this.#guard?.addressOf(this.#server, this.#failed)) ?? hostname.replace(/^\[|\]$/g, ''),
        port: Number(port || 21),
        user: decodeURIComponent(username) || 'anonymous',
        password: decodeURIComponent(password) || 'treeboot@',
      })
      return client
    } catch (error) {
      this.giveBack(client, { isUsable: false })
      this.#failed++
      if (error instanceof RefusedAddress) throw error
      throw connectionFailure(`ftp://${host}`, error)
    }
  }

  /** @param isUsable Whether the server waits for the next command, as after every reply (`FTPError`, too). */
  giveBack(client: Client, { isUsable }: { readonly isUsable: boolean }): void {
    this.#busy--
    if (isUsable && !client.closed) this.#idle.push(client)
    else {
      client.close()
      this.#all.delete(client)
    }
    this.#waiting.shift()?.()
  }

  close(): void {
    for (const client of this.#all) client.close()
  }
}

/**
 * Maps an FTP error to a failure that may be retried. Code 421 concerns the whole server: it has too many
 * connections, or is about to stop (RFC 959 section 4.2.1).
 */
function transientFailureOf(what: string, error: unknown): TransientFailure {
  const isOfServer = error instanceof FTPError && error.code === 421
  return new TransientFailure(`${what}: ${failureMessage(error)}`, { isOfServer, cause: error })
}

/** Lists a folder. The library refuses a listing that is too long with an error of its own. */
async function listed(client: Client, remote: string): Promise<readonly FileInfo[]> {
  try {
    return await client.list(remote)
  } catch (error) {
    if (!/maximum bytes exceeded/i.test(failureMessage(error))) throw error
    throw new Failure('too-large', `a listing of more than ${maxListingBytes} bytes`)
  }
}

/**
 * Whether an item is a folder or a symlink to a folder. For a symlink without a target we ask SIZE, which fails for a folder.
 * It also fails for a symlink to nothing, which therefore counts as a folder. Its listing fails, and `crawl`
 * skips it.
 */
async function isFolder(client: Client, parent: string, item: FileInfo): Promise<boolean> {
  if (item.isDirectory || !item.isSymbolicLink) return item.isDirectory
  return client.size(`${parent}/${item.name}`).then(
    () => false,
    (error: unknown) => {
      if (error instanceof FTPError) return true
      throw error
    },
  )
}

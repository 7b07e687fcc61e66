import { PassThrough } from 'node:stream'
import { Client, FTPError } from 'basic-ftp'
import { Failure, failureMessage } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { isPlainName, Trouble, type Upstream } from './upstream.ts'

/** Connections to one server: most allow two for each address. */
const mostConnections = 2
const stallMs = 30_000

/** A tree on an FTP server, fetched over at most two connections. Every remote name goes through the path cleaner. */
export function ftpUpstream(given: string): Upstream {
  const at = new URL(given)
  const url = given.endsWith('/') ? given : `${given}/`
  const root = decodeURIComponent(at.pathname)
  const idle: Client[] = []
  const all = new Set<Client>()
  const waiting: (() => void)[] = []
  let busy = 0

  async function acquire(): Promise<Client> {
    while (busy >= mostConnections) await new Promise<void>((resolve) => waiting.push(resolve))
    busy++
    const known = idle.pop()
    if (known && !known.closed) return known
    const client = new Client(stallMs)
    all.add(client)
    try {
      await client.access({
        host: at.hostname.replace(/^\[|\]$/g, ''),
        port: Number(at.port || 21),
        user: decodeURIComponent(at.username) || 'anonymous',
        password: decodeURIComponent(at.password) || 'treeboot@',
      })
      return client
    } catch (error) {
      release(client, false)
      throw new Trouble(`${at.host}: ${failureMessage(error)}`, { isOfServer: true, cause: error })
    }
  }

  function release(client: Client, good: boolean): void {
    busy--
    if (good && !client.closed) idle.push(client)
    else {
      client.close()
      all.delete(client)
    }
    waiting.shift()?.()
  }

  const remote = (path: string): string => cleanPath(`${root}/${path}`)

  return {
    url,
    async get(path, { start, signal }) {
      const client = await acquire()
      let size: number
      let modifiedMs: number | undefined
      try {
        size = await client.size(remote(path))
        modifiedMs = await client.lastMod(remote(path)).then(Number, () => undefined)
      } catch (error) {
        release(client, error instanceof FTPError)
        if (error instanceof FTPError && error.code === 550) return undefined
        throw troubleOf(`${url}${path}`, error)
      }
      const from = start <= size ? start : 0
      return {
        start: from,
        size,
        ...(modifiedMs !== undefined && { modifiedMs, validator: `${size}-${modifiedMs}` }),
        body: pull(client, remote(path), from, (good) => release(client, good), signal),
      }
    },
    async list(path) {
      const client = await acquire()
      try {
        const names: string[] = []
        for (const item of await client.list(remote(path))) {
          if (!isPlainName(item.name)) continue
          const isFolder =
            item.isDirectory ||
            (item.isSymbolicLink && !(await hasSize(client, `${remote(path)}/${item.name}`)))
          if (isFolder) names.push(`${item.name}/`)
          else if (item.isFile || item.isSymbolicLink) names.push(item.name)
        }
        release(client, true)
        return names.sort()
      } catch (error) {
        release(client, error instanceof FTPError)
        if (error instanceof FTPError && error.code >= 500) return undefined
        throw troubleOf(`${url}${path}`, error)
      }
    },
    async close() {
      for (const client of all) client.close()
    },
  }
}

/** 421: the server has enough of us, or is about to stop (RFC 959 section 4.2.1). */
function troubleOf(what: string, error: unknown): Trouble {
  const isOfServer = error instanceof FTPError && error.code === 421
  return new Trouble(`${what}: ${failureMessage(error)}`, { isOfServer, cause: error })
}

/** A link to a file has a size; one to a folder, or to nowhere, has none. */
function hasSize(client: Client, path: string): Promise<boolean> {
  return client.size(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof FTPError) return false
      throw error
    },
  )
}

async function* pull(
  client: Client,
  path: string,
  start: number,
  done: (good: boolean) => void,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pipe = new PassThrough({ highWaterMark: 1 << 20 })
  const stop = (): void => client.close()
  signal?.addEventListener('abort', stop, { once: true })
  let good = false
  const transfer = client.downloadTo(pipe, path, start).then(
    () => undefined,
    (error: unknown) => {
      pipe.destroy()
      return error
    },
  )
  try {
    try {
      for await (const piece of pipe) yield piece as Buffer
    } catch {
      // The transfer knows better why.
    }
    const error = await transfer
    if (error !== undefined) {
      if (error instanceof Failure) throw error
      throw troubleOf(path, error)
    }
    good = true
  } finally {
    signal?.removeEventListener('abort', stop)
    if (!good) client.close()
    done(good)
  }
}

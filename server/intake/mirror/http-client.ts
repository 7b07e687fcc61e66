import { Agent, type IncomingMessage, request as requestByHttp } from 'node:http'
import { request as requestByHttps, Agent as SecureAgent } from 'node:https'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { defined } from '../../core/defined.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import type { AddressGuard } from './address-guard.ts'

/** A connection on which no byte arrives for this long is closed. */
const stallMs = upstreamLimits.indexPage.ms
/** An unwanted body of at most this size is read to its end, so that the connection can be used again. */
const worthReadingBytes = 64 * 1024

/** More connections to a server than a `Fetcher` asks for at once, so no request waits for one. */
const agentOptions = { keepAlive: true, maxSockets: 8 }

interface Request {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

/**
 * Sends GET requests over kept connections, through the proxies that `http_proxy`, `https_proxy` and
 * `no_proxy` in the environment name. It uses Node's own client, since undici 7 throws an uncatchable error
 * when an upstream closes its connection while the body is not being read (its issue 5360; the remedy is in
 * version 8, which needs Node 22).
 */
export class HttpClient {
  readonly #agents = new Map<string, Agent>()
  readonly #guard: AddressGuard | undefined

  /** @param guard Which addresses may be asked. Default: all. */
  constructor(guard?: AddressGuard) {
    this.#guard = guard
  }

  /** Resolves to a response with an unread body. Rejects with the network error, or the signal's reason. */
  get(url: URL, headers: Request['headers'], signal?: AbortSignal): Promise<IncomingMessage> {
    return this.#send({ url, headers, signal }, { mayRepeat: true })
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #send(
    { url, headers, signal }: Request,
    { mayRepeat }: { readonly mayRepeat: boolean },
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // Throws: the promise rejects with it.
      this.#guard?.checkUrl(url)
      const open = url.protocol === 'https:' ? requestByHttps : requestByHttp
      const { bytes: maxHeaderSize } = upstreamLimits.responseHead
      const lookup = getProxyForUrl(url.href) === '' ? this.#guard?.lookupFor(url) : undefined
      const request = open(
        url,
        defined({ agent: this.#agentFor(url), headers, signal, maxHeaderSize, lookup }),
      )
      request.setTimeout(stallMs, () => request.destroy(new Error(`no byte for ${stallMs / 1000} s`)))
      request.once('response', resolve)
      request.once('error', (error: NodeJS.ErrnoException) => {
        // The other end closed the kept connection at the moment we used it again.
        if (mayRepeat && request.reusedSocket && error.code === 'ECONNRESET' && !signal?.aborted)
          this.#send({ url, headers, signal }, { mayRepeat: false }).then(resolve, reject)
        else reject(error)
      })
      request.end()
    })
  }

  #agentFor(url: URL): Agent {
    const proxy = getProxyForUrl(url.href)
    // A connection that was opened for a listed URL is not used for others on the same server.
    const key = `${url.protocol} ${proxy} ${this.#guard?.isListed(url) ?? ''}`
    let agent = this.#agents.get(key)
    if (!agent) {
      agent = makeAgent(url.protocol === 'https:', proxy)
      this.#agents.set(key, agent)
    }
    return agent
  }
}

function makeAgent(secure: boolean, proxy: string): Agent {
  if (proxy === '') return secure ? new SecureAgent(agentOptions) : new Agent(agentOptions)
  return secure ? new HttpsProxyAgent(proxy, agentOptions) : new HttpProxyAgent(proxy, agentOptions)
}

/** Drops a response whose body is not wanted. A body of unknown length is read to its end. */
export function discard(response: IncomingMessage): void {
  response.on('error', () => undefined)
  if (Number(response.headers['content-length'] ?? 0) > worthReadingBytes) response.destroy()
  else response.resume()
}

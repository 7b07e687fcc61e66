import { Agent, type IncomingMessage, request as requestByHttp } from 'node:http'
import { request as requestByHttps, Agent as SecureAgent } from 'node:https'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'

/** No byte for so long, and the connection is given up. */
const stallMs = 30_000
/** What is left of an answer that nobody wants is read to its end up to this, for the sake of the connection. */
const worthReading = 64 * 1024

const agentOptions = { keepAlive: true, maxSockets: 8 }

/**
 * GETs over kept connections, by `http_proxy`, `https_proxy` and `no_proxy` of the environment. Node's own client, since
 * undici 7 throws where nobody can catch it when an upstream closes its connection while the body is not being read
 * (its issue 5360; the remedy is in version 8, which needs Node 22).
 */
export class HttpClient {
  readonly #agents = new Map<string, Agent>()

  /** Rejects with the reason of the network, or with the signal's. */
  get(url: URL, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<IncomingMessage> {
    return this.#ask(url, headers, signal, true)
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #ask(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    mayRepeat: boolean,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = url.protocol === 'https:' ? requestByHttps : requestByHttp
      const asked = request(url, { agent: this.#agentFor(url), headers, ...(signal && { signal }) })
      asked.setTimeout(stallMs, () => asked.destroy(new Error(`not a byte for ${stallMs / 1000} s`)))
      asked.once('response', resolve)
      asked.once('error', (error: NodeJS.ErrnoException) => {
        // The kept connection was closed by the other end at the very moment that we used it again.
        if (mayRepeat && asked.reusedSocket && error.code === 'ECONNRESET' && !signal?.aborted)
          this.#ask(url, headers, signal, false).then(resolve, reject)
        else reject(error)
      })
      asked.end()
    })
  }

  #agentFor(url: URL): Agent {
    const proxy = getProxyForUrl(url.href)
    const key = `${url.protocol} ${proxy}`
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

/** Lets go of an answer whose body nobody wants. */
export function discard(answer: IncomingMessage): void {
  answer.on('error', () => undefined)
  if (Number(answer.headers['content-length'] ?? 0) > worthReading) answer.destroy()
  else answer.resume()
}

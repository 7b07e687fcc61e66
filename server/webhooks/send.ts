import { lookup } from 'node:dns'
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { Failure } from '../core/failure.ts'
import { upstreamLimits } from '../core/limits/upstreams.ts'
import { isPublicAddress } from '../core/net/public.ts'

export interface Post {
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** Whether addresses that are not of the Internet are allowed. */
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
}

/**
 * Sends one POST on a connection of its own, and resolves to the status of its response. No redirect is followed. The
 * address is judged where the connection is made: a name that leads elsewhere a moment later gains nothing.
 *
 * @throws Failure with words for people, which have nothing of the URL but its host.
 */
export async function post({ url, body, headers, allowPrivate, signal }: Post): Promise<number> {
  const target = new URL(url)
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
  // A literal address is looked up nowhere.
  if (!allowPrivate && isIP(host) !== 0) requirePublic(host, host)
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    headers: { ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' },
    lookup: allowPrivate ? lookup : publicLookup,
    maxHeaderSize: upstreamLimits.webhookAnswer.bytes,
    signal: AbortSignal.any([signal, AbortSignal.timeout(upstreamLimits.webhookAnswer.ms)]),
  }
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? requestHttps : requestHttp
    const req = send(target, options, (res) => {
      resolve(res.statusCode ?? 0)
      // Nobody reads the body of the answer.
      req.destroy()
    })
    req.on('error', (error) => reject(failureOf(error, host)))
    req.end(body)
  })
}

/** Looks a name up, and refuses it when one of its addresses is not of the Internet. */
const publicLookup: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, '')
    const foreign = found.find(({ address }) => !isPublicAddress(address))
    const [first] = found
    if (foreign || !first) {
      const refusal = foreign
        ? refused(host, foreign.address)
        : new Failure('not-found', `${host} has no address`)
      return callback(refusal, '')
    }
    if (options.all) callback(null, found)
    else callback(null, first.address, first.family)
  })
}

function requirePublic(host: string, address: string): void {
  if (!isPublicAddress(address)) throw refused(host, address)
}

function refused(host: string, address: string): Failure {
  const what = host === address ? address : `${host} (${address})`
  return new Failure(
    'forbidden',
    `${what} is not an address of the Internet; allow-private: true of this webhook allows it`,
  )
}

function failureOf(error: NodeJS.ErrnoException, host: string): Failure {
  if (error instanceof Failure) return error
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return new Failure('unavailable', `${host} did not answer in time`)
  return new Failure('unavailable', `${host}: ${error.code ?? 'the connection failed'}`)
}

import { connect, type Socket } from 'node:net'
import type { Event } from '../../server/events/bus.ts'
import { HttpListener, type HttpListenerOptions } from '../../server/protocols/http/server.ts'

export interface RawResponse {
  readonly status: number
  /** The head as it came, without the empty line. */
  readonly head: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A running service on 127.0.0.1 and the events that it emitted. */
export interface OpenService {
  readonly service: HttpListener
  readonly port: number
  readonly events: Event[]
}

export async function openListener(
  options: Omit<HttpListenerOptions, 'bind' | 'port' | 'events'>,
): Promise<OpenService> {
  const events: Event[] = []
  const service = new HttpListener({
    bind: '127.0.0.1',
    port: 0,
    events: (event) => events.push(event),
    ...options,
  })
  await service.start()
  return { service, port: service.address?.port ?? 0, events }
}

/**
 * Sends bytes exactly as given, reads one response and closes the connection. A response to HEAD has no body.
 */
export function exchange(port: number, request: string | Buffer, host = '127.0.0.1'): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, host)
    const noBody = request.toString('latin1').startsWith('HEAD ')
    const chunks: Buffer[] = []
    let count = 0
    let needed = 1 // bytes of the whole response, as soon as its head is there
    socket.on('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      count += chunk.length
      if (count < needed) return
      const read = Buffer.concat(chunks)
      const response = parseResponse(read)
      if (!response) return
      const length = Number(response.headers['content-length'] ?? Number.POSITIVE_INFINITY)
      needed = read.length - response.body.length + (noBody || response.status === 304 ? 0 : length)
      if (count < needed) return
      socket.destroy()
      resolve(response)
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const read = Buffer.concat(chunks)
      const response = parseResponse(read)
      if (response) resolve(response)
      else reject(new Error(`closed after ${JSON.stringify(read.toString('latin1').slice(0, 200))}`))
    })
  })
}

/** A request for a path with `Host` and the given header lines. */
export function request(method: string, target: string, ...lines: readonly string[]): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: boot.example', ...lines, '', ''].join('\r\n')
}

export function get(port: number, target: string, ...lines: readonly string[]): Promise<RawResponse> {
  return exchange(port, request('GET', target, ...lines))
}

export function parseResponse(read: Buffer): RawResponse | undefined {
  const end = read.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = read.toString('latin1', 0, end)
  const [first = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  return { status: Number(first.split(' ')[1]), head, headers, body: read.subarray(end + 4) }
}

import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { retryAfterSeconds } from '../../../core/http-status.ts'
import { plainAddress } from '../../../core/net/address.ts'
import { forwardedClient } from '../../../core/net/forwarded.ts'
import { isInNetworks, type Network } from '../../../core/net/network.ts'
import type { EventSink } from '../../../events/bus.ts'
import { RateLimit } from '../../rate-limit.ts'
import { type Client, ClientConnection, type ClientLimits, Clients } from './clients.ts'

/** For so long a refused connection may take to read its response. */
const refusalMs = 2_000
const reportMs = 60_000

export interface AdmissionOptions {
  readonly limits: ClientLimits
  /** Proxies that say in `X-Forwarded-For` whose request they send. Their connections are not counted. */
  readonly trustedProxies: readonly Network[]
  readonly events: EventSink
}

/** What happens to a request that asks for a place. One of the two is called, once. */
export interface Entering {
  /** `give` gives the place back. It may be called twice, and is called when the response has ended. */
  begin(give: () => void): void
  refuse(): void
}

/**
 * Says which connections and requests have their turn. Each client address has a number of places for
 * connections, and another for requests. What finds no place waits in line, so that a network behind one address
 * is served, if more slowly. What finds the line full, or waits for too long, is refused with 503.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #clients: Clients
  readonly #report = new RateLimit(1, reportMs)
  #refused = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#clients = new Clients(options.limits)
  }

  /** Takes a new connection, of which nothing is read yet. Calls `accept` when its turn has come. */
  admit(socket: Socket, accept: (connection: ClientConnection) => void): void {
    const client = this.#clients.hold(plainAddress(socket.remoteAddress ?? ''))
    const connection = new ClientConnection(socket, client)
    socket.once('close', () => this.#clients.release(client))
    const enter = (): void => {
      client.open.add(connection)
      socket.once('close', () => {
        client.open.delete(connection)
        client.connections.give()
      })
      accept(connection)
    }
    if (isInNetworks(client.address, this.#options.trustedProxies)) accept(connection)
    else if (client.connections.take()) enter()
    else this.#putInLine(connection, enter)
  }

  #putInLine({ socket, client }: ClientConnection, enter: () => void): void {
    const { waitMs, connections } = this.#options.limits
    const refuse = (): void => {
      refuseConnection(socket)
      this.#reportRefusal(client, `${connections} connections`)
    }
    const wait = waitInLine(client.connections, waitMs, { onTurn: stopAndEnter, onLate: refuse })
    if (!wait) return void refuse()
    socket.on('error', ignore).once('close', wait.leave)
    client.closeLongestIdle()

    function stopAndEnter(): void {
      socket.off('error', ignore).off('close', wait?.leave ?? ignore)
      enter()
    }
  }

  /** Asks for a place for a request of this connection, until its response has ended or gives the place back. */
  enter(
    connection: ClientConnection,
    headers: IncomingHttpHeaders,
    res: ServerResponse,
    { begin, refuse }: Entering,
  ): void {
    const forwarded = this.#forwardedClient(connection, headers)
    const client = forwarded === undefined ? connection.client : this.#clients.hold(forwarded)
    const { requests, waitMs } = this.#options.limits
    let hasPlace = false
    const give = (): void => {
      if (hasPlace) client.requests.give()
      hasPlace = false
    }
    const enter = (): void => {
      hasPlace = true
      begin(give)
    }
    const late = (): void => {
      this.#reportRefusal(client, `${requests} requests`)
      refuse()
    }
    const isFree = client.requests.take()
    const wait = isFree ? undefined : waitInLine(client.requests, waitMs, { onTurn: enter, onLate: late })
    res.once('close', () => {
      wait?.leave()
      give()
      if (forwarded !== undefined) this.#clients.release(client)
    })
    if (isFree) enter()
    else if (!wait) late()
  }

  /** The client that a trusted proxy names; undefined for one that has connected to us itself. */
  #forwardedClient({ client }: ClientConnection, headers: IncomingHttpHeaders): string | undefined {
    const proxies = this.#options.trustedProxies
    return isInNetworks(client.address, proxies)
      ? forwardedClient(headers['x-forwarded-for'], proxies)
      : undefined
  }

  /** One line a minute, however many are refused. */
  #reportRefusal({ address }: Client, limit: string): void {
    this.#refused++
    if (!this.#report.admit(performance.now())) return
    const message = `${address} has more than ${limit} at once, and too many wait: refused ${this.#refused} since the last such line. For a network behind one address, raise the limit in the section http of config.yaml`
    this.#refused = 0
    this.#options.events({ type: 'trouble', where: 'http', message })
  }
}

/** Waits in a line for at most `waitMs`. Undefined when the line is full. */
function waitInLine(
  places: Client['requests'],
  waitMs: number,
  { onTurn, onLate }: { readonly onTurn: () => void; readonly onLate: () => void },
): { readonly leave: () => void } | undefined {
  const leave = places.wait(() => {
    clearTimeout(timer)
    onTurn()
  })
  if (!leave) return undefined
  const timer = setTimeout(() => {
    leave()
    onLate()
  }, waitMs)
  return {
    leave: () => {
      clearTimeout(timer)
      leave()
    },
  }
}

/** Sends 503 to a connection of which nothing was read, and closes it when its client has read that. */
function refuseConnection(socket: Socket): void {
  const head = `HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: ${retryAfterSeconds}\r\nConnection: close\r\n\r\n`
  // Bytes that were not read would reset the connection, and the client would lose the response.
  socket.on('error', ignore).on('end', () => socket.destroy())
  socket.resume()
  socket.end(head)
  setTimeout(() => socket.destroy(), refusalMs).unref()
}

function ignore(): void {}

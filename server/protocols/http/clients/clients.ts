import type { Socket } from 'node:net'
import { Places } from './places.ts'

/** What one client address may have at once. What is above waits in line. */
export interface ClientLimits {
  readonly connections: number
  /** Requests whose response has not begun. A download that is running is only a connection. */
  readonly requests: number
  /** The most connections that wait for their turn. */
  readonly waitingConnections: number
  /** The most requests that wait for their turn. Without a proxy, connections are the narrower limit. */
  readonly waitingRequests: number
  /** How long a connection or a request waits. iPXE gives up after a minute of silence. */
  readonly waitMs: number
}

export const defaultClientLimits: ClientLimits = {
  connections: 512,
  requests: 64,
  waitingConnections: 4096,
  waitingRequests: 4096,
  waitMs: 30_000,
}

/** One client address. A whole network may be behind it. */
export class Client {
  readonly address: string
  readonly connections: Places
  readonly requests: Places
  /** The connections that have a place. */
  readonly open = new Set<ClientConnection>()
  holders = 0

  constructor(address: string, limits: ClientLimits) {
    this.address = address
    this.connections = new Places(limits.connections, limits.waitingConnections)
    this.requests = new Places(limits.requests, limits.waitingRequests)
  }

  /** Whether connections wait for a place. Others then end with the response that they are getting. */
  get crowded(): boolean {
    return this.connections.waiting > 0
  }

  /**
   * Closes the connection that has waited longest for a next request, so that a waiting one gets its place. A
   * client whose idle connection is closed opens another (RFC 9112 section 9.5).
   */
  closeLongestIdle(): void {
    let longest: ClientConnection | undefined
    for (const each of this.open) if (each.idleSinceMs < (longest?.idleSinceMs ?? busy)) longest = each
    longest?.close()
  }
}

const busy = Number.POSITIVE_INFINITY

/** One connection of a client. Whoever reads requests from it says when one begins and when it has ended. */
export class ClientConnection {
  readonly socket: Socket
  readonly client: Client
  /** When the connection became idle, by performance.now(); infinite while a request is in progress. */
  idleSinceMs = performance.now()

  constructor(socket: Socket, client: Client) {
    this.socket = socket
    this.client = client
  }

  requestBegins(): void {
    this.idleSinceMs = busy
  }

  requestEnded(): void {
    this.idleSinceMs = performance.now()
    if (this.client.crowded) this.client.closeLongestIdle()
  }

  close(): void {
    this.idleSinceMs = busy
    this.socket.destroySoon()
  }
}

/** All clients that have a connection or a request. */
export class Clients {
  readonly #limits: ClientLimits
  readonly #byAddress = new Map<string, Client>()

  constructor(limits: ClientLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#byAddress.size
  }

  /** The client of an address, which is kept until it was released as often as it was held. */
  hold(address: string): Client {
    const client = this.#byAddress.get(address) ?? new Client(address, this.#limits)
    this.#byAddress.set(address, client)
    client.holders++
    return client
  }

  release(client: Client): void {
    client.holders--
    if (client.holders === 0) this.#byAddress.delete(client.address)
  }
}

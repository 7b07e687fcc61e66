import type { ServiceName } from '../services.ts'

/** The service that a request came by. `internal`: treeboot itself asks, for a command or a check. */
export type Protocol = ServiceName | 'internal'

/**
 * The connection of a request. `readyState` is that of Node's sockets: `open` while both ends can still send.
 */
export interface Connection {
  readonly readyState: string
}

/**
 * Who asks. What a path holds may depend on it: an answer file has the URL by which this client reached us,
 * `pxelinux.cfg/default` the plan of the machine at this address.
 */
export interface Requester {
  readonly protocol: Protocol
  /** The client's IP address, without an IPv4-in-IPv6 prefix. */
  readonly address: string
  /** Our address that the client reached, when the service knows it. */
  readonly localAddress?: string
  /** `localAddress` is one of several by which a machine may reach us. Only where treeboot itself asks. */
  readonly isGuess?: true
  /** `host:port` as an HTTP client names us. */
  readonly host?: string
  /** Identities of the machine that the request itself carried, as sent. */
  readonly macs?: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  /** The maker of the machine, which iPXE reads from SMBIOS. Any text. */
  readonly vendor?: string
  /** What the client calls itself (`User-Agent`), as sent. Nothing is decided by it. */
  readonly agent?: string
  /** The connection of the request; used only to tell several clients behind one address apart. */
  readonly connection?: Connection
}

/** The requester when treeboot itself asks, for content that does not depend on the client. */
export const internalRequester: Requester = { protocol: 'internal', address: '127.0.0.1' }

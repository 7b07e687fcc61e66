import type { ServiceName } from '../services.ts'

/** A service that clients use. `internal` is treeboot asking itself: a command, a check. */
export type Protocol = ServiceName | 'internal'

/** A connection that requests come by; `open` while both sides may still speak, as Node's sockets say it. */
export interface Connection {
  readonly readyState: string
}

/**
 * Who is asking. What a path holds may depend on it: a kickstart carries the URL that this client reached
 * us by, a `pxelinux.cfg/default` is the plan of the machine at this address.
 */
export interface Requester {
  readonly protocol: Protocol
  /** The client's IP address, without an IPv4-in-IPv6 prefix. */
  readonly address: string
  /** Our own address that it reached, when the service knows it. */
  readonly localAddress?: string
  /** `host:port` as an HTTP client names us. */
  readonly host?: string
  /** Whatever identity the request carried besides its address, as sent. */
  readonly macs?: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  /** By which it came; only to tell one client from several behind one address. */
  readonly connection?: Connection
}

/** treeboot asking itself, where nothing depends on who asks. */
export const internalRequester: Requester = { protocol: 'internal', address: '127.0.0.1' }

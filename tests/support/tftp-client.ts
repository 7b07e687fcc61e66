import { createSocket, type RemoteInfo } from 'node:dgram'
import { isIPv6 } from 'node:net'
import {
  decodePacket,
  encodePacket,
  type Mode,
  type Options,
  type Packet,
} from '../../server/protocols/tftp/wire/packet.ts'

/**
 * What happens to the n-th packet on its way, counted from 0 in each direction. A `late` packet arrives after
 * the next one.
 */
export type Fate = 'pass' | 'drop' | 'twice' | 'late'
export type Network = (direction: 'to-server' | 'to-client', n: number) => Fate

export interface FetchOptions {
  readonly port: number
  readonly host?: string
  readonly mode?: Mode
  readonly options?: Readonly<Record<string, string | number>>
  readonly network?: Network
  /** How long the client waits before it sends its last packet again. */
  readonly retryMs?: number
  /** Gives up after so many of these in a row. */
  readonly retries?: number
  /**
   * Called with each packet from the server. `continue`: the client handles it; `ignore`: it does not;
   * `stop`: it ends.
   */
  readonly intercept?: (packet: Packet, peer: Peer) => 'stop' | 'continue' | 'ignore'
}

/** The client's socket, for tests that send an unusual packet. */
export interface Peer {
  readonly remote: RemoteInfo | undefined
  send(bytes: Uint8Array): void
}

export interface Fetched {
  readonly bytes: Buffer
  /** The options of the OACK; undefined without an OACK. */
  readonly oack: Options | undefined
  /** The server's port for this transfer. */
  readonly serverPort: number
  /** DATA packets that arrived, repeated ones too. */
  readonly packets: number
}

/** An ERROR from the server. */
export class TftpRefusal extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * A TFTP client after RFC 1350, 2347 and 7440, over a network that loses, doubles and delays packets as the
 * test says. It acknowledges every window, and at once the last block before a gap. It repeats its last
 * packet when nothing comes.
 */
export function fetchTftp(path: string, options: FetchOptions): Promise<Fetched> {
  return new Fetch(path, options).run()
}

class Fetch implements Peer {
  readonly #options: FetchOptions
  readonly #request: Uint8Array
  readonly #socket
  readonly #chunks: Uint8Array[] = []
  readonly #counts = { 'to-server': 0, 'to-client': 0 }
  /** The `late` packet of each direction, until the next one has arrived. */
  readonly #held: Record<'to-server' | 'to-client', (() => void) | undefined> = {
    'to-server': undefined,
    'to-client': undefined,
  }
  #remote: RemoteInfo | undefined
  #oack: Options | undefined
  #blksize = 512
  #windowsize = 1
  /** Blocks that came in order; it does not wrap at 65535. */
  #received = 0
  #inWindow = 0
  /** `#received` when the last gap was acknowledged; -1 before the first gap. */
  #gapAcked = -1
  #packets = 0
  /** What is sent again when nothing comes. */
  #last: Uint8Array
  #tries = 0
  /** Datagrams that are still on their way out: the socket stays open for them. */
  #unsent = 0
  #ended = false
  #timer: NodeJS.Timeout | undefined
  #resolve: (fetched: Fetched) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  constructor(path: string, options: FetchOptions) {
    this.#options = options
    const requested = Object.entries(options.options ?? {}).map(([k, v]) => [k, String(v)] as const)
    const mode = options.mode ?? 'octet'
    this.#request = encodePacket({ type: 'rrq', filename: path, mode, options: new Map(requested) })
    this.#last = this.#request
    this.#socket = createSocket(isIPv6(options.host ?? '') ? 'udp6' : 'udp4')
  }

  get remote(): RemoteInfo | undefined {
    return this.#remote
  }

  run(): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.on('error', (error) => this.#fail(error))
      this.#socket.on('message', (bytes, from) => this.#travel('to-client', () => this.#deliver(bytes, from)))
      this.#socket.bind(0, () => this.#transmit(this.#request))
    })
  }

  send(bytes: Uint8Array): void {
    const host = this.#options.host ?? '127.0.0.1'
    if (this.#ended) return
    this.#unsent++
    this.#socket.send(bytes, this.#remote?.port ?? this.#options.port, host, () => {
      this.#unsent--
      this.#closeWhenSent()
    })
  }

  #closeWhenSent(): void {
    if (this.#ended && this.#unsent === 0) this.#socket.close()
  }

  #transmit(bytes: Uint8Array): void {
    this.#last = bytes
    this.#travel('to-server', () => this.send(bytes))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#retransmit(), this.#options.retryMs ?? 300)
  }

  #retransmit(): void {
    if (++this.#tries > (this.#options.retries ?? 30)) this.#fail(new Error('no response'))
    else this.#transmit(this.#last)
  }

  /** Sends one packet through the network. */
  #travel(direction: 'to-server' | 'to-client', arrive: () => void): void {
    const fate = this.#options.network?.(direction, this.#counts[direction]++) ?? 'pass'
    const before = this.#held[direction]
    this.#held[direction] = undefined
    if (fate === 'late') this.#held[direction] = arrive
    else if (fate !== 'drop') {
      arrive()
      if (fate === 'twice') arrive()
    }
    before?.()
  }

  #deliver(bytes: Buffer, from: RemoteInfo): void {
    if (this.#ended) return
    const packet = decodePacket(bytes)
    if (packet.type === 'malformed') {
      this.#fail(new Error(`the server sent a malformed packet: ${packet.reason}`))
      return
    }
    if (this.#remote && from.port !== this.#remote.port) return
    if (packet.type !== 'error') this.#remote ??= from
    const decision = this.#options.intercept?.(packet, this) ?? 'continue'
    if (decision === 'stop') this.#finish()
    if (decision !== 'continue') return
    switch (packet.type) {
      case 'oack':
        this.#agreed(packet.options)
        break
      case 'data':
        this.#data(packet.block, packet.data)
        break
      case 'error':
        this.#fail(new TftpRefusal(packet.code, packet.message))
        break
      case 'rrq':
      case 'wrq':
      case 'ack':
        this.#fail(new Error(`the server sent ${packet.type}`))
    }
  }

  #agreed(options: Options): void {
    if (this.#received > 0) return
    this.#oack = options
    this.#blksize = Number(options.get('blksize') ?? 512)
    this.#windowsize = Number(options.get('windowsize') ?? 1)
    this.#tries = 0
    this.#transmit(encodePacket({ type: 'ack', block: 0 }))
  }

  #data(block: number, data: Uint8Array): void {
    this.#packets++
    if (data.length > this.#blksize) {
      this.#fail(new Error(`DATA of ${data.length} octets; the agreed block size is ${this.#blksize}`))
      return
    }
    if (block !== ((this.#received + 1) & 0xffff)) {
      // A gap, or a repeated block: acknowledge the last block in order, once (RFC 7440 section 4).
      if (this.#gapAcked === this.#received) return
      this.#gapAcked = this.#received
      this.#inWindow = 0
      this.#transmit(encodePacket({ type: 'ack', block: this.#received & 0xffff }))
      return
    }
    this.#received++
    this.#tries = 0
    this.#chunks.push(data)
    const last = data.length < this.#blksize
    if (++this.#inWindow < this.#windowsize && !last) {
      this.#last = encodePacket({ type: 'ack', block: this.#received & 0xffff })
      this.#timer?.refresh()
      return
    }
    this.#inWindow = 0
    this.#transmit(encodePacket({ type: 'ack', block: this.#received & 0xffff }))
    if (last) this.#finish()
  }

  #finish(): void {
    clearTimeout(this.#timer)
    // The last ACK may get lost. The client ends all the same, and the server repeats its last block for a
    // while.
    this.#ended = true
    this.#closeWhenSent()
    this.#resolve({
      bytes: Buffer.concat(this.#chunks),
      oack: this.#oack,
      serverPort: this.#remote?.port ?? 0,
      packets: this.#packets,
    })
  }

  #fail(error: unknown): void {
    clearTimeout(this.#timer)
    this.#socket.removeAllListeners()
    this.#socket.on('error', () => undefined)
    this.#ended = true
    this.#closeWhenSent()
    this.#reject(error)
  }
}

/**
 * The octets that a netascii text stands for: CR LF is LF, CR NUL is CR. Other octets after a CR stay, as in
 * tftp-hpa.
 */
export function fromNetascii(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1')
  return Buffer.from(
    text.replace(/\r([\n\0])/g, (_, after) => (after === '\n' ? '\n' : '\r')),
    'latin1',
  )
}

import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import { failureMessage } from '../../core/failure.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { plainAddress } from '../../core/net/address.ts'
import type { EventSink } from '../../events/bus.ts'
import { cannotListen, type ListenAddress, type Listener, listenTcp, udpReceiveBytes } from '../listener.ts'
import { FrameReader } from './frames.ts'
import { parseLine } from './line.ts'
import { LineRates } from './rates.ts'

export interface SyslogListenerOptions {
  readonly bind: string
  /** 0: any free port, the same for UDP and TCP. */
  readonly port: number
  readonly events: EventSink
  /** Whether a boot is known at this address. Lines of all others are dropped before anything else. */
  readonly isKnown: (address: string) => boolean
  readonly limits?: Partial<typeof defaultLimits>
  /** Milliseconds, by a clock that is never set. */
  readonly up?: () => number
}

const { syslogConnections } = requestLimits

export const defaultLimits = {
  connections: 512,
  perClient: syslogConnections.entries,
  idleMs: syslogConnections.ms,
  /** Dropped lines are told at most so often. */
  tellMs: 1000,
}

/** Free ports are tried so often until one is free for both transports. */
const mostTries = 10

/**
 * Takes what installers log, by UDP (RFC 5426) and TCP (RFC 6587), and emits each line as an event. It sends nothing back,
 * so nobody can use it to flood others, and it keeps no line.
 */
export class SyslogListener implements Listener {
  readonly name = 'syslog'
  readonly #options: SyslogListenerOptions
  readonly #limits: typeof defaultLimits
  readonly #up: () => number
  readonly #rates: LineRates
  readonly #connections = new Set<Socket>()
  readonly #perClient = new Map<string, number>()
  /** Lines, and connections that were refused, since they were told last. */
  readonly #dropped = { unknown: 0, 'too-many': 0 }
  /** The address of the last one of them. */
  #last = ''
  #telling: NodeJS.Timeout | undefined
  #tcp: Server | undefined
  #udp: DatagramSocket | undefined
  #address: ListenAddress | undefined

  constructor(options: SyslogListenerOptions) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#up = options.up ?? (() => performance.now())
    this.#rates = new LineRates(this.#up())
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  get hint(): string {
    return 'UDP and TCP; only of machines that boot here'
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size
  }

  async start(): Promise<void> {
    const { port } = this.#options
    for (let tries = 1; ; tries++) {
      const address = await this.#listen()
      try {
        await this.#receive(address)
        this.#address = address
        return
      } catch (error) {
        this.refuseNew()
        const isChosen = port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (!isChosen || tries === mostTries)
          throw cannotListen(error, { service: 'syslog', ...this.#options, rival: 'rsyslog, syslog-ng' })
      }
    }
  }

  refuseNew(): void {
    this.#address = undefined
    this.#tcp?.close()
    this.#udp?.close()
    this.#tcp = undefined
    this.#udp = undefined
  }

  /** Nobody waits for a line. */
  transfers(): readonly [] {
    return []
  }

  async stop(): Promise<void> {
    this.refuseNew()
    for (const socket of this.#connections) socket.destroy()
    clearTimeout(this.#telling)
    this.#tell()
  }

  #listen(): Promise<ListenAddress> {
    const { bind, port, events } = this.#options
    this.#tcp = createServer({ allowHalfOpen: false }, (socket) => this.#accept(socket))
    return listenTcp(this.#tcp, { service: 'syslog', bind, port, events })
  }

  #receive({ host, port }: ListenAddress): Promise<void> {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: udpReceiveBytes })
    this.#udp = socket
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: host, port }, () => {
        socket.off('error', reject)
        socket.on('error', (error) => this.#trouble(error))
        socket.on('message', (bytes, from) => this.#take(bytes, plainAddress(from.address)))
        resolve()
      })
    })
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const ofClient = this.#perClient.get(address) ?? 0
    const isFull = this.#connections.size >= this.#limits.connections || ofClient >= this.#limits.perClient
    if (isFull || !this.#options.isKnown(address)) {
      this.#drop(isFull ? 'too-many' : 'unknown', address)
      socket.destroy()
      return
    }
    this.#connections.add(socket)
    this.#perClient.set(address, ofClient + 1)
    const frames = new FrameReader((line) => this.#take(line, address))
    socket.on('data', (bytes: Buffer) => frames.push(bytes))
    socket.on('end', () => frames.end())
    // A machine that is reset sends RST, which is an error of its socket. There is nothing to do but to forget it.
    socket.on('error', () => socket.destroy())
    socket.setTimeout(this.#limits.idleMs, () => socket.destroy())
    socket.once('close', () => {
      this.#connections.delete(socket)
      const left = (this.#perClient.get(address) ?? 1) - 1
      if (left > 0) this.#perClient.set(address, left)
      else this.#perClient.delete(address)
    })
  }

  #take(bytes: Buffer, address: string): void {
    if (!this.#options.isKnown(address)) this.#drop('unknown', address)
    else if (!this.#rates.admit(address, bytes.length, this.#up())) this.#drop('too-many', address)
    else {
      const line = parseLine(bytes)
      const { length } = bytes
      if (line.text !== '') this.#options.events({ type: 'syslog', client: address, bytes: length, ...line })
    }
  }

  #drop(why: 'unknown' | 'too-many', address: string): void {
    this.#dropped[why]++
    this.#last = address
    this.#telling ??= setTimeout(() => this.#tell(), this.#limits.tellMs).unref()
  }

  #tell(): void {
    this.#telling = undefined
    for (const why of ['unknown', 'too-many'] as const) {
      const lines = this.#dropped[why]
      this.#dropped[why] = 0
      if (lines > 0) this.#options.events({ type: 'syslog-lost', client: this.#last, lines, why })
    }
  }

  #trouble(error: unknown): void {
    this.#options.events({ type: 'trouble', where: 'syslog', message: failureMessage(error) })
  }
}

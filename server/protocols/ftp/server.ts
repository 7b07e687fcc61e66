import { readFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Failure, failureMessage } from '../../core/failure.ts'
import { plainAddress } from '../../core/net/address.ts'
import type { EventSink } from '../../events/bus.ts'
import { BufferPool } from '../../files/buffers.ts'
import type { FileSource } from '../../files/source.ts'
import type { UploadArea } from '../../files/upload-area.ts'
import { type ListenAddress, type Listener, listenTcp } from '../listener.ts'
import type { RunningTransfer } from '../stop-grace.ts'
import type { PortRange } from './data/data-port.ts'
import { HeldListings } from './data/held-listings.ts'
import { formatReply } from './line/reply.ts'
import { defaultLimits, type FtpLimits, LoginGuard } from './session/limits.ts'
import { Session } from './session/session.ts'
import type { Authenticate, FtpContext } from './verbs/verb.ts'

export interface FtpListenerOptions {
  readonly bind: string
  /** 0: any free port. */
  readonly port: number
  /** The namespace, or a function that returns the current one and is called for each command. */
  readonly source: FileSource | (() => FileSource)
  readonly events: EventSink
  /**
   * The ports of passive data connections, both ends included: a firewall must let them through. Without this
   * option, any free port.
   */
  readonly passivePorts?: PortRange
  readonly limits?: Partial<FtpLimits>
  /** When given, AUTH TLS is offered (RFC 4217). */
  readonly tls?: TlsFiles
  /**
   * Whether user and password are those of an administrator. Without this function only `anonymous` may log
   * in.
   */
  readonly authenticate?: Authenticate
  /** Where administrators may write. Without an upload area nobody can write. */
  readonly uploads?: UploadArea
  /** The IPv4 address for the replies to PASV, when clients reach us through NAT. */
  readonly publicAddress?: string
}

/** Paths of PEM files, which are read whenever the service starts. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/** The FTP service: RFC 959 with 2389, 2428, 3659 and 4217. Only administrators can write. */
export class FtpListener implements Listener {
  readonly name = 'ftp'
  readonly #options: FtpListenerOptions
  #context: FtpContext
  readonly #server: Server
  readonly #sessions = new Set<Session>()
  readonly #perClient = new Map<string, number>()
  #address: ListenAddress | undefined
  #closed: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  /** @throws Failure `bad-request` for impossible passive ports. */
  constructor(options: FtpListenerOptions) {
    const { source, passivePorts: ports } = options
    if (ports && !(ports.from >= 1 && ports.from <= ports.to && ports.to <= 65535))
      throw new Failure(
        'bad-request',
        `FTP passive ports ${ports.from}-${ports.to}: expected 1 <= from <= to <= 65535`,
      )
    this.#options = options
    const limits = { ...defaultLimits, ...options.limits }
    this.#context = {
      source: typeof source === 'function' ? source : () => source,
      events: options.events,
      limits,
      pool: new BufferPool(),
      guard: new LoginGuard(limits.loginTriesPerMinute),
      listings: new HeldListings(limits.listedNamesPerClient),
      secure: undefined,
      authenticate: options.authenticate,
      uploads: options.uploads,
      publicAddress: options.publicAddress,
    }
    // Half-open: a client that sends QUIT and its FIN together still gets its reply, and `printf | nc` works.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    )
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  /** The number of open control connections. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** Also rejects with `invalid-data` when key and certificate cannot be used. */
  async start(): Promise<void> {
    const { tls } = this.#options
    if (tls) this.#context = { ...this.#context, secure: await loadSecureContext(tls) }
    const { bind, port, events } = this.#options
    this.#address = await listenTcp(this.#server, { service: 'ftp', bind, port, backlog: 1024, events })
  }

  refuseNew(): void {
    this.#closed ??= new Promise((resolve) => {
      if (!this.#server.listening) return resolve()
      this.#server.close(() => {
        this.#context.guard.close()
        resolve()
      })
      for (const session of this.#sessions)
        session.closeWhenIdle({ code: 421, text: 'The server is stopping' })
    })
  }

  *transfers(): Iterable<RunningTransfer> {
    for (const session of this.#sessions)
      if (session.progress) yield { key: session, moved: session.progress.bytes }
  }

  stop(how?: 'now'): Promise<void> {
    this.refuseNew()
    this.#stopped ??= this.#close()
    if (how === 'now') this.#cut()
    return this.#stopped
  }

  async #close(): Promise<void> {
    const late = setTimeout(() => this.#cut(), this.#context.limits.stopMs)
    await this.#closed
    clearTimeout(late)
  }

  #cut(): void {
    for (const session of this.#sessions) session.destroy()
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const local = socket.localAddress
    if (address === '' || local === undefined) return void socket.destroy() // the client is gone already
    const { limits } = this.#context
    const ofClient = this.#perClient.get(address) ?? 0
    if (this.#sessions.size >= limits.sessions || ofClient >= limits.sessionsPerClient) {
      const isClients = ofClient >= limits.sessionsPerClient
      const most = isClients ? `${limits.sessionsPerClient} from this address` : `${limits.sessions} in all`
      const message = `a session was refused: there are ${most} already`
      this.#context.events({ type: 'noise', protocol: 'ftp', client: address, message })
      return void refuse(
        socket,
        `Too many sessions ${isClients ? 'from your address' : 'in all'}; try again later`,
      )
    }
    this.#perClient.set(address, ofClient + 1)
    const session = new Session({
      socket,
      client: { protocol: 'ftp', address, localAddress: plainAddress(local), connection: socket },
      context: this.#context,
      passivePorts: this.#options.passivePorts,
      onEnd: () => {
        this.#sessions.delete(session)
        const left = (this.#perClient.get(address) ?? 1) - 1
        if (left > 0) this.#perClient.set(address, left)
        else this.#perClient.delete(address)
      },
    })
    this.#sessions.add(session)
  }
}

function refuse(socket: Socket, text: string): void {
  socket.on('error', () => {})
  socket.resume()
  socket.end(formatReply({ code: 421, text }), () => socket.destroySoon())
}

async function loadSecureContext(tls: TlsFiles): Promise<SecureContext> {
  try {
    const [cert, key] = await Promise.all([readFile(tls.certificate), readFile(tls.key)])
    return createSecureContext({ cert, key, minVersion: 'TLSv1.2' })
  } catch (error) {
    const files = `certificate ${tls.certificate} and key ${tls.key}`
    const remedy = 'Both files must be in PEM and belong together; see ftp.tls in config.yaml'
    const message = `FTP cannot use its TLS ${files}: ${failureMessage(error)}. ${remedy}`
    throw new Failure('invalid-data', message, { cause: error })
  }
}

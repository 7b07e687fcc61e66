import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { failureKind, failureMessage } from '../../core/failure.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import type { BufferPool } from '../../files/buffers.ts'
import { type CleanPath, cleanPath, rootPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { type Command, describeCommand, parseCommand } from './command.ts'
import { DataPort, type PortRange } from './data.ts'
import type { FtpLimits } from './limits.ts'
import { type ControlLine, LineReader, tooLong } from './line.ts'
import { type FactName, factNames } from './listing.ts'
import type { LoginGuard } from './login-guard.ts'
import { Pace } from './pace.ts'
import { failureReply, reply, replyLines } from './reply.ts'
import type { Transfer } from './transfer.ts'
import type { UploadArea } from './upload-area.ts'
import { verbs } from './verbs/table.ts'
import { withUploads } from './view.ts'

/** What all sessions of a service share. */
export interface Means {
  readonly source: () => FileSource
  readonly events: EventSink
  readonly limits: FtpLimits
  readonly pool: BufferPool
  readonly guard: LoginGuard
  readonly secure: SecureContext | undefined
  readonly authenticate: ((user: string, password: string) => boolean | Promise<boolean>) | undefined
  readonly uploads: UploadArea | undefined
  readonly passivePorts: PortRange | undefined
  /** The IPv4 address that PASV tells, for a server behind NAT. */
  readonly publicAddress: string | undefined
}

export type Login = 'anonymous' | 'administrator'

/** This many commands in a row that we do not know, and whoever talks is no FTP client. */
const maxNonsense = 20

/**
 * One control connection. Commands are worked off strictly one after the other, however they were cut into segments;
 * only ABOR, and STAT, are heard while a transfer runs (RFC 959 section 4.1.3).
 */
export class Session {
  readonly means: Means
  readonly who: Requester
  readonly data: DataPort
  socket: Socket
  /** Whether the control connection itself is encrypted. */
  isSecure = false
  protectsData = false
  user: string | undefined
  login: Login | undefined
  loginTries = 0
  cwd: CleanPath = rootPath
  type: 'A' | 'I' = 'A'
  restartAt = 0
  /** What ALLO said of the next upload: its length in bytes. */
  announcedBytes: number | undefined
  renameFrom: CleanPath | undefined
  /** After `EPSV ALL` no other command may arrange a data connection (RFC 2428 section 4). */
  onlyEpsv = false
  facts: readonly FactName[] = factNames
  transfer: Transfer | undefined
  /** ABOR came and was not answered yet: a transfer that is only about to begin does not. */
  abortAsked = false
  readonly #reader: LineReader
  readonly #queue: ControlLine[] = []
  readonly #pace: Pace
  readonly #onEnd: () => void
  readonly #loginTimer: NodeJS.Timeout
  #working = false
  #closing = false
  #ended = false
  #nonsense = 0

  constructor(
    means: Means,
    socket: Socket,
    who: Requester & { readonly localAddress: string },
    onEnd: () => void,
  ) {
    const { limits } = means
    this.means = means
    this.socket = socket
    this.who = who
    this.#onEnd = onEnd
    this.#reader = new LineReader(limits.lineBytes)
    this.#pace = new Pace(limits.commandsPerSecond)
    this.data = new DataPort({
      peer: who.address,
      local: who.localAddress,
      ports: means.passivePorts,
      connectMs: limits.connectMs,
      onStranger: (address) =>
        this.noise(`${address} came to the passive port of ${who.address} and was turned away`),
    })
    this.#loginTimer = setTimeout(() => {
      if (!this.login) this.close(421, 'No login in time')
    }, limits.loginMs)
    this.#loginTimer.unref()
    this.attach(socket)
  }

  /** Goes on with this socket: the first one, and the one that TLS is wrapped around. */
  attach(socket: Socket): void {
    this.socket = socket
    socket.setTimeout(this.means.limits.idleMs)
    socket.on('data', (chunk: Buffer) => this.#heard(chunk))
    socket.on('timeout', () => this.#idle())
    socket.on('end', () => this.#enqueue([]))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#gone())
  }

  /** Lets go of the plain socket, and of everything that came over it unasked. */
  detach(): Socket {
    const { socket } = this
    for (const event of ['data', 'timeout', 'end', 'close']) socket.removeAllListeners(event)
    socket.setTimeout(0)
    this.#reader.clear()
    this.#queue.length = 0
    return socket
  }

  reply(code: number, text: string): void {
    this.send(reply(code, text))
  }

  replyLines(code: number, first: string, lines: Iterable<string>, last: string): void {
    this.send(replyLines(code, first, lines, last))
  }

  send(text: string): void {
    if (this.socket.writable) this.socket.write(text)
  }

  noise(message: string): void {
    this.means.events({ type: 'noise', protocol: 'ftp', client: this.who.address, message })
  }

  /** The last reply, and the end of the session. */
  close(code: number, text: string): void {
    if (this.#closing) return
    this.#closing = true
    this.#queue.length = 0
    this.transfer?.abort()
    const { socket } = this
    if (!socket.writable) return void socket.destroy()
    socket.end(reply(code, text), () => socket.destroySoon())
    setTimeout(() => socket.destroy(), 1000).unref()
  }

  /** Ends when nothing is being done; a transfer may finish. */
  closeWhenIdle(code: number, text: string): void {
    if (!this.#working) this.close(code, text)
    else this.#queue.splice(0, this.#queue.length, 'QUIT')
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** The control connection has ended although the client has not said goodbye. */
  get isForsaken(): boolean {
    const saidQuit = this.#queue.some(
      (line) => typeof line === 'string' && parseCommand(line)?.verb === 'QUIT',
    )
    return this.#ended || (this.socket.readableEnded && !saidQuit)
  }

  loggedIn(login: Login | undefined): void {
    this.login = login
    if (login) clearTimeout(this.#loginTimer)
  }

  /** What a client's path means from where it stands. */
  path(argument: string): CleanPath {
    return cleanPath(argument.startsWith('/') ? argument : `${this.cwd}/${argument}`)
  }

  /** The namespace for one command: taken once, so that one answer is of one piece. */
  files(): FileSource {
    const source = this.means.source()
    const { uploads } = this.means
    return uploads && this.login === 'administrator' ? withUploads(source, uploads) : source
  }

  stat(path: CleanPath): Promise<Entry | undefined> {
    return this.files().stat(path, this.who)
  }

  #heard(chunk: Buffer): void {
    if (this.#closing) return
    this.#enqueue(this.#reader.push(chunk))
  }

  #enqueue(lines: readonly ControlLine[]): void {
    for (const line of lines) {
      if ((this.#working || this.#queue.length > 0) && this.#hearNow(line)) continue
      this.#queue.push(line)
    }
    if (this.#queue.length > this.means.limits.queuedCommands) this.socket.pause()
    if (!this.#working) void this.#work()
  }

  /** STAT is answered while the transfer runs. ABOR ends it now, and is answered in its turn. */
  #hearNow(line: ControlLine): boolean {
    const command = typeof line === 'string' ? parseCommand(line) : undefined
    if (command?.verb === 'ABOR') {
      this.abortAsked = true
      this.transfer?.abort()
    }
    if (command?.verb !== 'STAT' || !this.transfer || this.#queue.length > 0) return false
    void this.#execute(command)
    return true
  }

  async #work(): Promise<void> {
    this.#working = true
    for (;;) {
      const line = this.#queue.shift()
      if (line === undefined || this.#closing) break
      if (this.socket.isPaused() && this.#queue.length <= this.means.limits.queuedCommands / 2)
        this.socket.resume()
      await this.#pace.turn()
      if (this.#ended) break
      await this.#obey(line)
      if (this.socket.writableNeedDrain) await this.#drained()
    }
    this.#working = false
    // The client closed its side: it has heard the last answer it wanted.
    if (this.socket.readableEnded && !this.#closing) this.socket.end(() => this.socket.destroySoon())
  }

  async #obey(line: ControlLine): Promise<void> {
    if (line === tooLong) return this.#refuse('a command line that is too long', 500, 'Command line too long')
    const command = parseCommand(line)
    if (!command) return this.#refuse('a line that is no command', 500, 'No command; HELP lists them')
    if (command.verb !== 'RNTO') this.renameFrom = command.verb === 'RNFR' ? this.renameFrom : undefined
    await this.#execute(command)
  }

  async #execute(command: Command): Promise<void> {
    const verb = verbs.get(command.verb)
    if (!verb)
      return this.#refuse(
        describeCommand(command),
        502,
        `${command.verb} is not known here; HELP lists what is`,
      )
    this.#nonsense = 0
    if (verb.for !== 'anyone' && !this.login) return this.reply(530, 'Log in first, with USER and PASS')
    if (verb.for === 'administrators' && !(this.means.uploads && this.login === 'administrator'))
      return this.reply(550, 'Read-only: only an administrator may write, and only to the upload area')
    try {
      await verb.run(this, command.argument)
    } catch (error) {
      this.send(failureReply(error))
      if (failureKind(error) === 'internal')
        this.means.events({
          type: 'trouble',
          where: 'ftp',
          message: `${describeCommand(command)}: ${failureMessage(error)}`,
        })
    }
  }

  #refuse(what: string, code: number, text: string): void {
    if (this.#nonsense === 0) this.noise(`not understood: ${what}`)
    if (++this.#nonsense >= maxNonsense) return void this.close(421, 'Too many commands that make no sense')
    this.reply(code, text)
  }

  #drained(): Promise<void> {
    const { socket } = this
    return new Promise((resolve) => {
      const settle = (): void => {
        socket.off('drain', settle).off('close', settle)
        resolve()
      }
      if (socket.destroyed) settle()
      else socket.on('drain', settle).on('close', settle)
    })
  }

  /** A client that waits for its file is not idle, and the transfer has a limit of its own. */
  #idle(): void {
    if (this.transfer) this.socket.setTimeout(this.means.limits.idleMs)
    else if (this.socket.writableNeedDrain) this.destroy()
    else this.close(421, 'Idle for too long')
  }

  #gone(): void {
    if (this.#ended) return
    this.#ended = true
    this.#closing = true
    this.#queue.length = 0
    clearTimeout(this.#loginTimer)
    this.transfer?.abort()
    this.data.close()
    this.#onEnd()
  }
}

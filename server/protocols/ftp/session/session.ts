import type { Socket } from 'node:net'
import { failureKind, failureMessage } from '../../../core/failure.ts'
import { requestLimits } from '../../../core/limits/requests.ts'
import { DataPort, type PortRange } from '../data/data-port.ts'
import { type Command, type ControlLine, describeCommand, parseCommand, tooLong } from '../line/command.ts'
import { failureReply, formatReply, type Reply, uploadFailureReply } from '../line/reply.ts'
import { verbs } from '../verbs/table.ts'
import type { FtpClient, FtpContext, Progress, Verb, VerbContext, VerbReply } from '../verbs/verb.ts'
import { ControlConnection } from './connection.ts'
import { CommandRate, type FtpLimits } from './limits.ts'
import { initialState, type SessionState } from './state.ts'
import { TransferRunner } from './transfer.ts'

export interface SessionOptions {
  readonly socket: Socket
  readonly client: FtpClient
  readonly context: FtpContext
  readonly passivePorts: PortRange | undefined
  /** Called once, when the control connection is closed. */
  readonly onEnd: () => void
}

/** A session is closed after this many unknown commands in a row: the client does not speak FTP. */
const maxUnknown = requestLimits.ftpLine.entries

/**
 * One control connection and its state. Commands run strictly one after the other, however they were cut into
 * segments. Only ABOR and STAT have an effect while a transfer runs (RFC 959 section 4.1.3).
 */
export class Session {
  readonly #limits: FtpLimits
  readonly #context: VerbContext
  readonly #connection: ControlConnection
  readonly #dataPort: DataPort
  readonly #transfers: TransferRunner
  readonly #rate: CommandRate
  readonly #loginTimer: NodeJS.Timeout
  readonly #onEnd: () => void
  /** Lines whose commands have not run yet. */
  readonly #waiting: ControlLine[] = []
  #state: SessionState = initialState
  #isWorking = false
  /** Set while STAT is replied to beside a transfer. */
  #besideTransfer: Promise<void> | undefined
  #unknownInARow = 0

  constructor({ socket, client, context, passivePorts, onEnd }: SessionOptions) {
    const { limits, secure } = context
    this.#limits = limits
    this.#onEnd = onEnd
    this.#rate = new CommandRate(limits.commandsPerSecond)
    this.#connection = new ControlConnection({
      socket,
      lineBytes: limits.lineBytes,
      idleMs: limits.idleMs,
      onLines: (lines) => this.#receive(lines),
      // When no command is left, `#work` closes the connection.
      onClientEnd: () => this.#receive([]),
      onIdle: () => this.#idle(),
      onClose: () => this.#closed(),
    })
    this.#dataPort = new DataPort({
      control: socket,
      ports: passivePorts,
      connectMs: limits.connectMs,
      onStranger: (address) =>
        this.#noise(`${address} connected to the passive port of ${client.address} and was refused`),
    })
    this.#transfers = new TransferRunner({
      dataPort: this.#dataPort,
      limits,
      secure,
      send: (reply) => this.#send(reply),
      isClientGone: () => this.#isClientGone(),
      onEndFailure: (error) => this.#trouble('the end of a transfer', error),
    })
    const transfers = this.#transfers
    this.#context = {
      ...context,
      client,
      dataPort: this.#dataPort,
      get progress() {
        return transfers.progress
      },
    }
    this.#loginTimer = setTimeout(() => {
      if (!this.#state.login) this.#close({ code: 421, text: 'No login in time' })
    }, limits.loginMs)
    this.#loginTimer.unref()
    this.#send({ code: 220, text: 'treeboot: installation trees; log in as anonymous' })
  }

  /**
   * Closes the session as soon as no command runs. A running transfer may finish, and the last reply is then
   * that of QUIT instead of `reply`.
   */
  closeWhenIdle(reply: Reply): void {
    if (!this.#isWorking) this.#close(reply)
    else this.#waiting.splice(0, this.#waiting.length, 'QUIT')
  }

  /** The transfer that is under way. */
  get progress(): Progress | undefined {
    return this.#transfers.progress
  }

  destroy(): void {
    this.#connection.destroy()
  }

  #send(reply: Reply): void {
    this.#connection.send(formatReply(reply))
  }

  #noise(message: string): void {
    const { events, client } = this.#context
    events({ type: 'noise', protocol: 'ftp', client: client.address, message })
  }

  #trouble(what: string, error: unknown): void {
    const message = `${what}: ${failureMessage(error)}`
    this.#context.events({ type: 'trouble', where: 'ftp', message })
  }

  #close(reply: Reply): void {
    this.#waiting.length = 0
    this.#transfers.abort()
    this.#connection.close(formatReply(reply))
  }

  #receive(lines: readonly ControlLine[]): void {
    for (const line of lines) {
      const isBusy = this.#isWorking || this.#waiting.length > 0
      // ABOR ends the transfer at once, but gets its reply in its turn.
      if (isBusy && parseCommand(line)?.verb === 'ABOR') this.#transfers.requestAbort()
      this.#waiting.push(line)
    }
    if (this.#waiting.length > this.#limits.queuedCommands) this.#connection.pause()
    if (!this.#isWorking) void this.#work()
    else
      this.#besideTransfer ??= this.#replyBesideTransfer().finally(() => {
        this.#besideTransfer = undefined
      })
  }

  /**
   * STAT does not wait for the end of a transfer. There is one reply at a time, and the next when the client has
   * read it: a client that only sends must not fill our memory with replies.
   */
  async #replyBesideTransfer(): Promise<void> {
    for (;;) {
      const command = parseCommand(this.#waiting[0] ?? '')
      if (command?.verb !== 'STAT' || !this.#transfers.progress) break
      this.#waiting.shift()
      await this.#takeTurn()
      await this.#execute(command)
      if (this.#connection.isBlocked) await this.#connection.drained()
    }
  }

  /** Waits until the next command may run. Commands that the client sends ahead are read again when few wait. */
  async #takeTurn(): Promise<void> {
    if (this.#waiting.length <= this.#limits.queuedCommands / 2) this.#connection.resume()
    await this.#rate.turn()
  }

  async #work(): Promise<void> {
    const connection = this.#connection
    this.#isWorking = true
    for (;;) {
      const line = this.#waiting.shift()
      if (line === undefined || connection.isClosing) break
      await this.#takeTurn()
      if (connection.isClosed) break
      await this.#runLine(line)
      await this.#besideTransfer
      if (connection.isBlocked) await connection.drained()
    }
    this.#isWorking = false
    connection.closeIfClientEnded()
  }

  async #runLine(line: ControlLine): Promise<void> {
    if (line === tooLong) return this.#refuse('a command line that is too long', 500, 'Command line too long')
    const command = parseCommand(line)
    if (!command)
      return this.#refuse('a line without a command', 500, 'Not a command; HELP lists the commands')
    if (command.verb === 'ABOR') this.#transfers.endAbort()
    await this.#execute(command)
  }

  async #execute(command: Command): Promise<void> {
    const state = this.#state
    this.#state = { ...state, renameFrom: undefined } // RNFR counts for the next command only
    const verb = verbs.get(command.verb)
    if (!verb) {
      const text = `${command.verb} is not known here; HELP lists the known commands`
      return this.#refuse(describeCommand(command), 502, text)
    }
    this.#unknownInARow = 0
    if (!this.#mayUse(verb)) return
    this.#state = { ...this.#state, ...verb.spends }
    try {
      const outcome = await verb.run(state, command.argument, this.#context)
      this.#state = { ...this.#state, ...outcome.set }
      if (this.#state.login) clearTimeout(this.#loginTimer)
      if ('move' in outcome) await this.#transfers.run(outcome, state.protectsData)
      else this.#reply(outcome)
    } catch (error) {
      this.#send(verb.for === 'administrators' ? uploadFailureReply(error) : failureReply(error))
      if (failureKind(error) === 'internal') this.#trouble(describeCommand(command), error)
    }
  }

  #mayUse(verb: Verb): boolean {
    const { login } = this.#state
    if (verb.for !== 'anyone' && !login) {
      this.#send({ code: 530, text: 'Log in first, with USER and PASS' })
      return false
    }
    if (verb.for !== 'administrators' || (this.#context.uploads && login === 'administrator')) return true
    const text = 'Read-only: only an administrator may write, and only to the upload area'
    this.#send({ code: 550, text })
    return false
  }

  #reply(reply: VerbReply): void {
    const { secure } = this.#context
    if (reply.noise !== undefined) this.#noise(reply.noise)
    if (reply.afterwards === 'close') return void this.#close(reply)
    this.#send(reply)
    if (reply.afterwards !== 'start-tls' || !secure) return
    this.#waiting.length = 0
    this.#connection.startTls(secure)
  }

  #refuse(what: string, code: number, text: string): void {
    if (this.#unknownInARow === 0) this.#noise(`not understood: ${what}`)
    if (++this.#unknownInARow < maxUnknown) this.#send({ code, text })
    else this.#close({ code: 421, text: 'Too many unknown commands' })
  }

  #isClientGone(): boolean {
    const hasQuit = this.#waiting.some((line) => parseCommand(line)?.verb === 'QUIT')
    return this.#connection.isClosed || (this.#connection.isClientEnded && !hasQuit)
  }

  /**
   * Closes an idle session. While a transfer runs the client is not idle, and the transfer has its own time
   * limit.
   */
  #idle(): void {
    if (this.#transfers.progress) this.#connection.restartIdleTimer()
    else if (this.#connection.isBlocked) this.destroy()
    else this.#close({ code: 421, text: 'Idle for too long' })
  }

  #closed(): void {
    this.#waiting.length = 0
    clearTimeout(this.#loginTimer)
    this.#transfers.abort()
    this.#dataPort.close()
    this.#onEnd()
  }
}

import type { RemoteInfo } from 'node:dgram'
import { Failure } from '../../core/failure.ts'
import { plainAddress } from '../../core/net/address.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import type { ListenAddress, Listener } from '../listener.ts'
import { type Ear, Ears } from './node/listen-socket.ts'
import { RateLimit } from './rate.ts'
import type { JobResult } from './transfer/backend.ts'
import { Carriers } from './transfer/backends.ts'
import { Contents, type MemoryLimits } from './transfer/contents.ts'
import { type Session, type SessionLimits, Sessions } from './transfer/sessions.ts'
import { defaultOptionLimits, negotiate, type OptionLimits } from './wire/negotiate.ts'
import {
  decodePacket,
  type ErrorCode,
  encodePacket,
  errorCode,
  errorPacket,
  type Packet,
} from './wire/packet.ts'
import { requestPath, wireError } from './wire/request.ts'

export interface TftpLimits extends SessionLimits, MemoryLimits {
  readonly options: OptionLimits
  /** How long `stop` waits for running transfers. */
  readonly stopMs: number
}

export const defaultLimits: TftpLimits = {
  transfers: 1024,
  perClient: 512,
  cacheBytes: 512 * 1024 * 1024,
  fileBytes: 256 * 1024 * 1024,
  options: defaultOptionLimits,
  stopMs: 3000,
}

export interface TftpListenerOptions {
  /** An address, or `0.0.0.0` (every IPv4 address of the machine) or `::` (every address). */
  readonly bind: string
  /** 0: any free one. */
  readonly port: number
  readonly source: FileSource
  readonly events: EventSink
  readonly limits?: Partial<TftpLimits>
  /**
   * System calls instead of Node's sockets: `auto` (the default) where this machine can do it, from the first transfer
   * on; `off`; or `required`, for tests and benchmarks: `start` waits for it and fails without it.
   */
  readonly native?: 'auto' | 'off' | 'required'
}

type ReadRequest = Extract<Packet, { type: 'rrq' }>

/** The TFTP service: read-only, RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440. */
export class TftpListener implements Listener {
  readonly name = 'tftp'
  readonly #source: FileSource
  readonly #events: EventSink
  readonly #limits: TftpLimits
  readonly #ears: Ears
  readonly #sessions: Sessions
  readonly #contents: Contents
  readonly #noiseLimit = new RateLimit(10, 1000)
  readonly #fullLimit = new RateLimit(1, 10_000)
  readonly #carriers: Carriers
  #closed = false
  #stopping: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(options: TftpListenerOptions) {
    this.#source = options.source
    this.#events = options.events
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#sessions = new Sessions(this.#limits)
    this.#contents = new Contents(this.#limits)
    this.#carriers = new Carriers(options.native ?? 'auto')
    this.#ears = new Ears(
      options.bind,
      options.port,
      (bytes, from, ear) => this.#heard(bytes, from, ear),
      (message) => this.#events({ type: 'trouble', where: 'tftp', message }),
    )
  }

  get address(): ListenAddress | undefined {
    return this.#ears.address
  }

  async start(): Promise<void> {
    await this.#carriers.open()
    await this.#ears.open()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  async #close(): Promise<void> {
    this.#ears.close()
    if (this.#sessions.size > 0) {
      const { promise, resolve } = defer()
      this.#idle = resolve
      const timer = setTimeout(resolve, this.#limits.stopMs)
      await promise
      clearTimeout(timer)
    }
    this.#closed = true
    for (const session of [...this.#sessions]) session.carriage?.abort('the server is stopping')
    await this.#carriers.close()
  }

  #heard(bytes: Buffer, from: RemoteInfo, ear: Ear): void {
    const packet = decodePacket(bytes)
    switch (packet.type) {
      case 'rrq':
        this.#requested(packet, bytes, from, ear)
        break
      case 'wrq':
        this.#refuseWrite(packet.filename, from, ear)
        break
      case 'malformed':
        // Something like a request is told so. Anything else stays unanswered, or two servers could talk for ever.
        if (packet.opcode === 1 || packet.opcode === 2)
          reply(ear, from, errorCode.illegalOperation, packet.reason)
        this.#noise(from, packet.reason)
        break
      case 'data':
      case 'ack':
      case 'error':
      case 'oack':
        this.#noise(from, `${packet.type.toUpperCase()} where only requests are expected`)
    }
  }

  #requested(packet: ReadRequest, bytes: Buffer, from: RemoteInfo, ear: Ear): void {
    const key = `${from.address} ${from.port} ${ear.local.address}`
    const nowMs = performance.now()
    const admission = this.#sessions.admit(key, from.address, bytes, nowMs)
    if (admission === 'repeat') return
    if (admission === 'full') {
      this.#full(from)
      const silent = this.#sessions.yielding(from.address, nowMs)
      if (!silent) return
      this.#sessions.remove(silent)
      silent.carriage?.abort('never answered, and its place was needed', 'quietly')
    }
    const old = admission === 'anew' ? this.#sessions.find(key) : undefined
    if (old) {
      this.#sessions.remove(old)
      old.carriage?.abort('the client has asked anew', 'quietly')
    }
    const session: Session = {
      key,
      sinceMs: nowMs,
      client: from.address,
      request: Buffer.from(bytes),
      carriage: undefined,
    }
    this.#sessions.add(session)
    void this.#answer(packet, session, from, ear)
  }

  /** From a request to a running transfer, or to an ERROR at once: loaders probe for a dozen names that are not there. */
  async #answer(packet: ReadRequest, session: Session, from: RemoteInfo, ear: Ear): Promise<void> {
    const startMs = performance.now()
    const localAddress = ear.local.address
    try {
      if (packet.mode === 'mail')
        throw new Failure('unsupported', 'mail mode is not served; use octet or netascii')
      const path = requestPath(packet.filename)
      const who: Requester = {
        protocol: 'tftp',
        address: plainAddress(from.address),
        ...(isAny(localAddress) ? {} : { localAddress: plainAddress(localAddress) }),
      }
      const entry = fileOf(await this.#source.stat(path, who), path)
      const content = await this.#contents.get(path, entry, packet.mode)
      // While we looked, the client may have asked anew or the service may have been told to stop.
      if (this.#sessions.find(session.key) !== session || this.#closed) return
      const agreed = negotiate(packet.options, content.size, this.#limits.options)
      session.carriage = this.#carriers.carry({
        localAddress,
        remoteAddress: from.address,
        remotePort: from.port,
        family: ear.local.family,
        agreed,
        oack: agreed.echo.size > 0 ? encodePacket({ type: 'oack', options: agreed.echo }) : undefined,
        content,
        settled: (result) => this.#settled(session, path, result, { startMs, who, entry }),
      })
    } catch (error) {
      const { code, kind, text, detail } = wireError(error)
      reply(ear, from, code, text)
      this.#ended(session)
      this.#served(session, packet.filename, { outcome: 'failed', kind, detail, bytes: 0, startMs })
    }
  }

  #settled(
    session: Session,
    path: string,
    result: JobResult,
    { startMs, who, entry }: { startMs: number; who: Requester; entry: Entry },
  ): void {
    this.#ended(session)
    // A question about the size, answered. The file itself is asked for next, or not.
    if (result.end !== 'probed')
      this.#served(session, path, {
        ...outcomeOf(result),
        bytes: result.bytes,
        startMs,
        who,
        ...(entry.decision && { decision: entry.decision }),
      })
  }

  #ended(session: Session): void {
    this.#sessions.remove(session)
    if (this.#sessions.size === 0) this.#idle?.()
  }

  #served(session: Session, path: string, how: Outcome): void {
    const { outcome, kind, detail, bytes, startMs, decision, who } = how
    this.#events({
      type: 'served',
      protocol: 'tftp',
      client: plainAddress(session.client),
      path,
      outcome,
      ...(kind ? { kind } : {}),
      ...(detail ? { detail } : {}),
      bytes,
      ms: performance.now() - startMs,
      ...(decision && { decision }),
      ...(who && { who }),
    })
  }

  #refuseWrite(filename: string, from: RemoteInfo, ear: Ear): void {
    reply(ear, from, errorCode.accessViolation, 'this server is read-only')
    this.#noise(
      from,
      `write request for ${JSON.stringify(filename.slice(0, 200))} refused: TFTP is read-only here`,
    )
  }

  #full(from: RemoteInfo): void {
    if (!this.#fullLimit.admit(performance.now())) return
    const { transfers, perClient } = this.#limits
    const message = `no room for ${plainAddress(from.address)}: at most ${transfers} transfers, ${perClient} for one client; its requests wait`
    this.#events({ type: 'trouble', where: 'tftp', message })
  }

  #noise(from: RemoteInfo, message: string): void {
    if (!this.#noiseLimit.admit(performance.now())) return
    this.#events({ type: 'noise', protocol: 'tftp', client: plainAddress(from.address), message })
  }
}

interface Outcome {
  readonly outcome: 'complete' | 'aborted' | 'failed'
  readonly kind?: Failure['kind']
  readonly detail?: string | undefined
  readonly bytes: number
  readonly startMs: number
  readonly decision?: Entry['decision']
  readonly who?: Requester
}

function outcomeOf(result: JobResult): Pick<Outcome, 'outcome' | 'kind' | 'detail'> {
  switch (result.end) {
    case 'done':
    case 'probed':
      return { outcome: 'complete' }
    case 'aborted':
      return { outcome: 'aborted', detail: result.detail }
    case 'silent':
      return { outcome: 'aborted', detail: 'the client has stopped answering' }
    case 'failed': {
      const { kind, detail } = wireError(result.error)
      return { outcome: 'failed', kind, detail }
    }
  }
}

function fileOf(entry: Entry | undefined, path: string): Entry {
  if (!entry) throw new Failure('not-found', `file not found: ${path}`)
  if (entry.kind !== 'file') throw new Failure('not-found', `${path} is a folder`)
  return entry
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** An ERROR from the listening socket: there is no transfer that would need a port of its own. */
function reply(ear: Ear, to: RemoteInfo, code: ErrorCode, text: string): void {
  try {
    ear.socket.send(errorPacket(code, text), to.port, to.address, () => undefined)
  } catch {
    // Port 0 as source, or a socket that is being closed: there is nobody to tell.
  }
}

function defer(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

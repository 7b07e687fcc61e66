import { availableParallelism } from 'node:os'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { idlePortMs, PortPool } from '../transfer/ports.ts'
import { type ErrorCode, errorPacket } from '../wire/error.ts'
import { ReceiveBatch, SendBatch } from './datagrams.ts'
import { NativeFileBuffer } from './native-file-buffer.ts'
import { NativePort, type PortContext } from './native-port.ts'
import type { NativeTransfer } from './native-transfer.ts'
import { SpinWait } from './spin-wait.ts'
import { loadSystemCalls, readable, type SystemCalls, writable } from './system-calls.ts'
import {
  type FromWorker,
  jobSlots,
  messagesAt,
  type Shared,
  type StartMessage,
  sleepingAt,
  type ToWorker,
} from './worker-messages.ts'

/** How often deadlines are checked. The thread never sleeps longer than this. */
const tickMs = 50
/**
 * Up to this many ports are read one after the other. With more, epoll(7) first says which of them have
 * packets.
 */
const fewPorts = 2

/**
 * The thread of the native backend. While transfers run it loops over system calls, and an eventfd wakes it
 * for the main thread's messages. Without transfers it is an ordinary idle worker and costs nothing.
 */
class WorkerLoop {
  readonly #messagePort: MessagePort
  readonly #shared: Shared
  readonly #calls: SystemCalls
  readonly #event: number
  readonly #epoll: number
  readonly #sending: SendBatch
  readonly #ports = new PortPool<NativePort>()
  readonly #portContext: PortContext
  readonly #transfers = new Map<number, NativeTransfer>()
  readonly #buffers = new Map<number, NativeFileBuffer>()
  readonly #spinWait = new SpinWait(availableParallelism())
  #idleTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(messagePort: MessagePort, calls: SystemCalls) {
    this.#messagePort = messagePort
    this.#calls = calls
    this.#shared = workerData as Shared
    const { lastPacket } = this.#shared
    this.#epoll = calls.createEpoll()
    this.#event = calls.createEvent()
    calls.watch(this.#epoll, this.#event, readable, 'add')
    this.#sending = new SendBatch(calls)
    this.#portContext = {
      calls,
      epoll: this.#epoll,
      received: new ReceiveBatch(calls),
      sending: this.#sending,
      // The main thread ends the transfer of a client that has been silent, when another needs its place.
      onPacket: (job, nowMs) => {
        lastPacket[job % jobSlots] = performance.timeOrigin + nowMs
      },
      onEnd: (port, transfer, message) => {
        this.#transfers.delete(transfer.job)
        this.#ports.transferEnded(port)
        this.#post(message)
      },
    }
    messagePort.on('message', (message: ToWorker) => {
      this.#handle(message)
      this.#run()
    })
    this.#post({ type: 'ready', event: this.#event })
  }

  /** Runs until no transfer is left. */
  #run(): void {
    if (this.#transfers.size === 0) {
      this.#sending.flush() // the ERROR of a transfer that ended at once
      return
    }
    clearTimeout(this.#idleTimer)
    this.#readMessages()
    const poll = (): number => this.#poll()
    let tickAtMs = performance.now() + tickMs
    while (this.#transfers.size > 0 && !this.#closed) {
      if (this.#spinWait.wait(poll) === 0) this.#sleep()
      const nowMs = performance.now()
      if (nowMs < tickAtMs) continue
      tickAtMs = nowMs + tickMs
      for (const transfer of this.#transfers.values()) transfer.tick(nowMs)
      this.#sending.flush()
    }
    if (!this.#closed) this.#idleTimer = setTimeout(() => this.#ports.closeIdle(), idlePortMs)
  }

  /**
   * Handles the messages and packets that have come, without waiting. Returns how many there were, roughly.
   */
  #poll(): number {
    if (Atomics.load(this.#shared.words, messagesAt) === 1) {
      this.#readMessages()
      return 1
    }
    const { open } = this.#ports
    if (open.length > fewPorts || open.some((port) => port.sendBlocked)) return this.#waitForEvents(0)
    let count = 0
    for (const port of open) count += port.receive()
    return count
  }

  #sleep(): void {
    const { words } = this.#shared
    Atomics.store(words, sleepingAt, 1)
    // From now on the main thread signals the event after each message.
    if (Atomics.load(words, messagesAt) === 0) this.#waitForEvents(tickMs)
    Atomics.store(words, sleepingAt, 0)
  }

  /** `timeoutMs` 0: without waiting. Returns the number of ready descriptors. */
  #waitForEvents(timeoutMs: number): number {
    const calls = this.#calls
    const count = calls.wait(this.#epoll, timeoutMs)
    for (let i = 0; i < count; i++) {
      const fd = calls.readyFd(i)
      if (fd === this.#event) {
        calls.clearEvent(fd)
        continue
      }
      // A port that was closed a moment ago is not in the pool any more.
      const port = this.#ports.open.find((open) => open.fd === fd)
      const events = calls.readyEvents(i)
      if (port && (events & writable) !== 0) port.writable()
      // `readable`, or an error of the socket, which receiving takes from it.
      if (port && (events & ~writable) !== 0) port.receive()
    }
    return count
  }

  #readMessages(): void {
    Atomics.store(this.#shared.words, messagesAt, 0)
    for (;;) {
      const received = receiveMessageOnPort(this.#messagePort) as { message: ToWorker } | undefined
      if (!received) break
      this.#handle(received.message)
    }
    this.#sending.flush()
  }

  #handle(message: ToWorker): void {
    switch (message.type) {
      case 'buffer':
        this.#buffers.set(message.buffer, this.#openBuffer(message))
        break
      case 'filled':
        this.#buffers.get(message.buffer)?.advance(message.filled)
        break
      case 'unreadable':
        this.#buffers.get(message.buffer)?.fail(errorPacket(message.code as ErrorCode, message.text))
        break
      case 'dropBuffer':
        this.#buffers.delete(message.buffer)
        break
      case 'start':
        this.#start(message)
        break
      // With an ERROR to the client; `drop` sends none.
      case 'abort':
        this.#transfers.get(message.job)?.abort(message.reason)
        break
      case 'drop':
        this.#transfers.get(message.job)?.drop(message.reason)
        break
      case 'close':
        this.#close()
    }
  }

  /** A buffer copies its octets into the memory of the send batch. */
  #openBuffer(message: Extract<ToWorker, { type: 'buffer' }>): NativeFileBuffer {
    return new NativeFileBuffer(message, this.#calls, this.#sending.memory, (reply) => this.#post(reply))
  }

  #start(message: StartMessage): void {
    try {
      const buffer = this.#buffers.get(message.buffer)
      if (!buffer) throw new Error(`job ${message.job} came without its buffer`)
      const port = this.#ports.pick(
        (open) => open.accepts(message),
        () => new NativePort(message, this.#portContext),
      )
      const transfer = port.add(message, buffer)
      this.#transfers.set(transfer.job, transfer)
      transfer.start(performance.now())
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      this.#post({ type: 'ended', job: message.job, end: 'failed', bytes: 0, retries: 0, detail })
    }
  }

  #close(): void {
    this.#closed = true
    clearTimeout(this.#idleTimer)
    for (const port of this.#ports.open) this.#ports.close(port)
    this.#calls.close(this.#epoll)
    this.#calls.close(this.#event)
    this.#post({ type: 'closed' })
    this.#messagePort.close()
  }

  #post(message: FromWorker): void {
    this.#messagePort.postMessage(message)
  }
}

if (parentPort) {
  const calls = loadSystemCalls()
  if (calls) new WorkerLoop(parentPort, calls)
  else parentPort.postMessage({ type: 'unavailable' } satisfies FromWorker)
}

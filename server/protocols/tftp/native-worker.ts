import { availableParallelism } from 'node:os'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Content, type Producer } from './content.ts'
import { Inbox, Outbox } from './datagrams.ts'
import { loadNative, type NativeUdp, readable, writable } from './native.ts'
import {
  type FromWorker,
  heardSlots,
  type Shared,
  sleeping,
  type ToWorker,
  waiting,
} from './native-messages.ts'
import type { NativeTransfer } from './native-transfer.ts'
import { type ErrorCode, errorPacket } from './packet.ts'
import { Patience } from './patience.ts'
import { SharedPorts } from './shared-ports.ts'

/** How exactly deadlines are kept, and how soon this thread can be stopped. */
const tickMs = 50
/** Octets acknowledged before the reader of a ring hears of it. */
const releaseBytes = 128 * 1024
/** So many ports are looked into one by one; where there are more, the kernel is asked first which have something. */
const fewPorts = 2
/** How long ports without a transfer are kept for the next one. */
const restMs = 2000

/**
 * The thread of the native carrier. While transfers are on their way it lives in the kernel and hears the main thread by
 * a bell; without transfers it is an ordinary idle worker and costs nothing.
 */
class Loop {
  readonly #port: MessagePort
  readonly #shared: Shared
  readonly #udp: NativeUdp
  readonly #bell: number
  readonly #epoll: number
  readonly #outbox: Outbox
  readonly #ports: SharedPorts
  readonly #byJob = new Map<number, NativeTransfer>()
  readonly #contents = new Map<number, Content>()
  readonly #patience = new Patience(availableParallelism())
  #resting: NodeJS.Timeout | undefined
  #closed = false

  constructor(port: MessagePort, udp: NativeUdp) {
    this.#port = port
    this.#udp = udp
    this.#shared = workerData as Shared
    const { heard } = this.#shared
    this.#epoll = udp.epoll()
    this.#bell = udp.bell()
    udp.watch(this.#epoll, this.#bell, readable, 'add')
    this.#outbox = new Outbox(udp)
    this.#ports = new SharedPorts({
      udp,
      epoll: this.#epoll,
      inbox: new Inbox(udp),
      outbox: this.#outbox,
      heard: (job, nowMs) => {
        heard[job % heardSlots] = performance.timeOrigin + nowMs
      },
      settled: (from, transfer, message) => {
        this.#byJob.delete(transfer.job)
        this.#ports.left(from)
        this.#tell(message)
      },
    })
    port.on('message', (message: ToWorker) => {
      this.#hear(message)
      this.#run()
    })
    this.#tell({ type: 'ready', bell: this.#bell })
  }

  /** Until no transfer is left. */
  #run(): void {
    if (this.#byJob.size === 0) {
      this.#outbox.flush()
      return
    }
    clearTimeout(this.#resting)
    this.#hearAll()
    const look = (): number => this.#look()
    let tickAtMs = performance.now() + tickMs
    while (this.#byJob.size > 0 && !this.#closed) {
      if (this.#patience.wait(look) === 0) this.#sleep()
      const nowMs = performance.now()
      if (nowMs < tickAtMs) continue
      tickAtMs = nowMs + tickMs
      for (const transfer of this.#byJob.values()) transfer.tick(nowMs)
      this.#outbox.flush()
    }
    if (!this.#closed) this.#resting = setTimeout(() => this.#ports.rest(), restMs)
  }

  /** Takes what is there, without waiting; how much that was. */
  #look(): number {
    if (Atomics.load(this.#shared.words, waiting) === 1) {
      this.#hearAll()
      return 1
    }
    const { open } = this.#ports
    if (open.length > fewPorts || open.some((port) => port.full)) return this.#poll(0)
    let count = 0
    for (const port of open) count += port.receive()
    return count
  }

  #sleep(): void {
    const { words } = this.#shared
    Atomics.store(words, sleeping, 1)
    // Who says something from now on rings the bell.
    if (Atomics.load(words, waiting) === 0) this.#poll(tickMs)
    Atomics.store(words, sleeping, 0)
  }

  #poll(timeoutMs: number): number {
    const udp = this.#udp
    const count = udp.wait(this.#epoll, timeoutMs)
    for (let i = 0; i < count; i++) {
      const fd = udp.ready(i)
      if (fd === this.#bell) {
        udp.silence(fd)
        continue
      }
      // One that was closed a moment ago has no port any more.
      const port = this.#ports.find(fd)
      const events = udp.readyEvents(i)
      if (port && (events & writable) !== 0) port.writable()
      if (port && (events & ~writable) !== 0) port.receive()
    }
    return count
  }

  #hearAll(): void {
    Atomics.store(this.#shared.words, waiting, 0)
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToWorker } | undefined
      if (!received) break
      this.#hear(received.message)
    }
    this.#outbox.flush()
  }

  #hear(message: ToWorker): void {
    switch (message.type) {
      case 'content':
        this.#contents.set(message.content, this.#content(message))
        break
      case 'filled':
        this.#contents.get(message.content)?.advance(message.filled)
        break
      case 'broken':
        this.#contents.get(message.content)?.fail(errorPacket(message.code as ErrorCode, message.text))
        break
      case 'drop':
        this.#contents.delete(message.content)
        break
      case 'carry':
        this.#carry(message)
        break
      case 'abort':
        this.#byJob.get(message.job)?.abort(message.text, message.quietly)
        break
      case 'close':
        this.#closed = true
        this.#udp.close(this.#epoll)
        this.#udp.close(this.#bell)
        this.#tell({ type: 'closed' })
        this.#port.close()
    }
  }

  #carry(message: Extract<ToWorker, { type: 'carry' }>): void {
    const content = this.#contents.get(message.content)
    if (!content) return
    try {
      const transfer = this.#ports.for(message).carry(message, content)
      this.#byJob.set(transfer.job, transfer)
      transfer.start(performance.now())
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      this.#tell({ type: 'settled', job: message.job, end: 'failed', bytes: 0, detail })
    }
  }

  #content(message: Extract<ToWorker, { type: 'content' }>): Content {
    const { content: id, size, filled, buffer, ring } = message
    let released = 0
    const producer: Producer = {
      pull: () => this.#tell({ type: 'pull', content: id }),
      release: (position) => {
        if (!ring || (position < released + releaseBytes && position < size)) return
        released = position
        this.#tell({ type: 'release', content: id, position })
      },
      retain: () => undefined,
      leave: () => undefined,
    }
    const content = new Content(size, buffer, producer)
    content.filled = filled
    return content
  }

  #tell(message: FromWorker): void {
    this.#port.postMessage(message)
  }
}

if (parentPort) {
  const udp = loadNative()
  if (udp) new Loop(parentPort, udp)
  else parentPort.postMessage({ type: 'unavailable' } satisfies FromWorker)
}

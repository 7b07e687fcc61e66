import { availableParallelism } from 'node:os'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Ports, restMs } from '../transfer/ports.ts'
import { type ErrorCode, errorPacket } from '../wire/packet.ts'
import { Inbox, Outbox } from './datagrams.ts'
import { type FromWorker, heardSlots, type Shared, sleeping, type ToWorker, waiting } from './messages.ts'
import { NativeContent } from './native-content.ts'
import type { NativeTransfer } from './native-transfer.ts'
import { type PortMeans, SharedPort } from './shared-port.ts'
import { Patience } from './spin-wait.ts'
import { loadNative, type NativeUdp, readable, writable } from './system-calls.ts'

/** How exactly deadlines are kept, and how soon this thread can be stopped. */
const tickMs = 50
/** So many ports are looked into one by one; where there are more, the kernel is asked first which have something. */
const fewPorts = 2

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
  readonly #ports = new Ports<SharedPort>()
  readonly #means: PortMeans
  readonly #byJob = new Map<number, NativeTransfer>()
  readonly #contents = new Map<number, NativeContent>()
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
    this.#means = {
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
    }
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
      const port = this.#ports.open.find((one) => one.fd === fd)
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
        this.#contents.set(message.content, new NativeContent(message, this.#udp, (told) => this.#tell(told)))
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
        clearTimeout(this.#resting)
        for (const port of this.#ports.open) this.#ports.close(port)
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
      const port = this.#ports.pick(
        (one) => one.takes(message),
        () => new SharedPort(message, this.#means),
      )
      const transfer = port.carry(message, content)
      this.#byJob.set(transfer.job, transfer)
      transfer.start(performance.now())
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      this.#tell({ type: 'settled', job: message.job, end: 'failed', bytes: 0, detail })
    }
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

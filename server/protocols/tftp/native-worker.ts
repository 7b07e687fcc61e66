import { availableParallelism } from 'node:os'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Content, type Producer } from './content.ts'
import { loadNative, type NativeUdp, readable } from './native.ts'
import { type FromWorker, heardSlots, type Shared, sleeping, type ToWorker } from './native-messages.ts'
import { type Bench, NativeTransfer } from './native-transfer.ts'
import { type ErrorCode, errorPacket } from './packet.ts'
import { Patience } from './patience.ts'

/** How exactly deadlines are kept, and how soon this thread can be stopped. */
const tickMs = 50
/** Octets acknowledged before the reader of a ring hears of it. */
const releaseBytes = 128 * 1024

/**
 * The thread of the native carrier. While transfers are on their way it lives in the kernel's epoll_wait and hears the
 * main thread by a bell; without transfers it is an ordinary idle worker and costs nothing.
 */
class Loop {
  readonly #port: MessagePort
  readonly #shared: Shared
  readonly #udp: NativeUdp
  readonly #bell: number
  readonly #bench: Bench
  readonly #byFd = new Map<number, NativeTransfer>()
  readonly #byJob = new Map<number, NativeTransfer>()
  readonly #contents = new Map<number, Content>()
  readonly #patience = new Patience(availableParallelism())
  #closed = false

  constructor(port: MessagePort, udp: NativeUdp) {
    this.#port = port
    this.#udp = udp
    this.#shared = workerData as Shared
    const epoll = udp.epoll()
    this.#bell = udp.bell()
    udp.watch(epoll, this.#bell, readable, 'add')
    this.#bench = {
      udp,
      epoll,
      out: udp.pinned(128 * 1024),
      in: udp.pinned(2048),
      peer: udp.pinned(28),
      settled: (transfer, message) => {
        this.#byFd.delete(transfer.fd)
        this.#byJob.delete(transfer.job)
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
    const { words, heard } = this.#shared
    const udp = this.#udp
    if (this.#byFd.size === 0) return
    Atomics.store(words, sleeping, 1)
    this.#hearAll()
    const look = (): number => udp.wait(this.#bench.epoll, 0)
    let tickAtMs = performance.now() + tickMs
    while (this.#byFd.size > 0 && !this.#closed) {
      const count = this.#patience.wait(look) || udp.wait(this.#bench.epoll, tickMs)
      const nowMs = performance.now()
      for (let i = 0; i < count; i++) {
        const fd = udp.ready(i)
        if (fd === this.#bell) {
          udp.silence(fd)
          this.#hearAll()
          continue
        }
        const transfer = this.#byFd.get(fd)
        if (!transfer) continue
        heard[transfer.job % heardSlots] = performance.timeOrigin + nowMs
        transfer.ready(udp.readyEvents(i), nowMs)
      }
      if (nowMs >= tickAtMs) {
        tickAtMs = nowMs + tickMs
        for (const transfer of this.#byFd.values()) transfer.tick(nowMs)
      }
    }
    Atomics.store(words, sleeping, 0)
  }

  #hearAll(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToWorker } | undefined
      if (!received) return
      this.#hear(received.message)
    }
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
        this.#udp.close(this.#bench.epoll)
        this.#udp.close(this.#bell)
        this.#tell({ type: 'closed' })
        this.#port.close()
    }
  }

  #carry(message: Extract<ToWorker, { type: 'carry' }>): void {
    const content = this.#contents.get(message.content)
    if (!content) return
    try {
      const transfer = new NativeTransfer(message, content, this.#bench)
      this.#byFd.set(transfer.fd, transfer)
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

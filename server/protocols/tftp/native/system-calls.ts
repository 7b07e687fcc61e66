import { endianness } from 'node:os'
import { bindLibc, type Koffi, type Libc } from '../../../host/koffi.ts'

/**
 * The system calls of the native backend.
 *
 * Only this file and datagrams.ts could damage memory: by a wrong signature of a call, or by a wrong address.
 * So every address given to the kernel is that of a `Pinned` buffer, with a length that fits the buffer.
 *
 * Why system calls: one call receives the packets of dozens of clients, and one call sends a window of up to
 * 64 packets (UDP_SEGMENT) to each of them. Neither makes garbage. Node's dgram offers neither.
 */
export interface SystemCalls extends MemoryCalls, SocketCalls, EpollCalls {
  /** The error of the last call that gave -1. */
  errno(): number
}

/**
 * Memory that stays at its address. This object keeps the memory alive: hold on to it while the kernel uses
 * it.
 */
export interface Pinned<Bytes extends Uint8Array = Uint8Array> {
  readonly bytes: Bytes
  readonly address: number
}

export interface MemoryCalls {
  allocate(length: number): Pinned<Buffer>
  /** Pins memory that exists already, for example a SharedArrayBuffer. */
  pin(bytes: Uint8Array): Pinned
  /** Makes a function that copies octets from one buffer to another with libc's memcpy. */
  copier(from: Pinned, to: Pinned): (fromAt: number, toAt: number, length: number) => void
}

export interface SocketCalls {
  /** A non-blocking datagram socket, or -1. */
  socket(family: 4 | 6): number
  /** `address` holds a `struct sockaddr` of this length. */
  bind(fd: number, address: Pinned, length: number): number
  close(fd: number): void
  /** Sets the size of both socket buffers. Without privilege the kernel may give less. */
  setBufferSize(fd: number, octets: number): void
  /** recvmmsg(2), without waiting: how many of `count` `struct mmsghdr`s at `messages` were filled, or -1. */
  receive(fd: number, messages: Pinned, count: number): number
  /**
   * sendmmsg(2), without waiting: how many of the messages `from` to `to` were sent, or -1 if not even the
   * first.
   */
  send(fd: number, messages: Pinned, from: number, to: number): number
}

export interface EpollCalls {
  createEpoll(): number
  /** `events` is a sum of `readable` and `writable`. */
  watch(epoll: number, fd: number, events: number, change: 'add' | 'modify'): number
  /** How many descriptors are ready, at most `maxReady`. `readyFd(i)` and `readyEvents(i)` name them. */
  wait(epoll: number, timeoutMs: number): number
  readyFd(i: number): number
  readyEvents(i: number): number
  /** An eventfd(2): readable from `signalEvent` until `clearEvent`. */
  createEvent(): number
  signalEvent(fd: number): void
  clearEvent(fd: number): void
}

export const readable = 1
export const writable = 4
export const maxReady = 128
export const errno = { EINTR: 4, EAGAIN: 11 } as const
/** Octets of a `struct mmsghdr` where pointers have 64 bits. */
export const mmsghdrBytes = 64

const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_MOD = 3
const EFD_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000
/**
 * Octets of a `struct epoll_event`: packed on x64 only. The constants above are the same on both
 * architectures.
 */
const epollEventBytes: Readonly<Record<string, number>> = { x64: 12, arm64: 16 }

/**
 * Loads the system calls. Undefined on other systems than Linux, on other CPUs than x64 and arm64, and
 * without koffi.
 */
export function loadSystemCalls(): SystemCalls | undefined {
  const eventBytes = epollEventBytes[process.arch]
  if (endianness() !== 'LE' || eventBytes === undefined) return undefined
  return bindLibc((library, koffi) => {
    const libc = functionsOf(library)
    const memory = memoryCalls(koffi, libc)
    return {
      ...memory,
      ...socketCalls(libc, memory),
      ...epollCalls(libc, memory, eventBytes),
      errno: () => koffi.errno(),
    }
  })
}

type Functions = ReturnType<typeof functionsOf>

/** Numbers only: an address is that of a `Pinned` buffer. */
type Call = (...args: (number | bigint)[]) => number

function functionsOf(libc: Libc) {
  const call = (prototype: string): Call => libc.func(prototype)
  return {
    socket: call('int socket(int, int, int)'),
    bind: call('int bind(int, uintptr_t, uint32_t)'),
    close: call('int close(int)'),
    setsockopt: call('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
    recvmmsg: call('int recvmmsg(int, uintptr_t, uint32_t, int, uintptr_t)'),
    sendmmsg: call('int sendmmsg(int, uintptr_t, uint32_t, int)'),
    epoll_create1: call('int epoll_create1(int)'),
    epoll_ctl: call('int epoll_ctl(int, int, int, uintptr_t)'),
    epoll_wait: call('int epoll_wait(int, uintptr_t, int, int)'),
    eventfd: call('int eventfd(uint32_t, int)'),
    read: call('int64_t read(int, uintptr_t, size_t)'),
    write: call('int64_t write(int, uintptr_t, size_t)'),
    // Declared to return an int: the pointer that memcpy returns is not needed.
    memcpy: call('int memcpy(uintptr_t, uintptr_t, size_t)'),
  }
}

function memoryCalls(koffi: Koffi, libc: Functions): MemoryCalls {
  const pin = <Bytes extends Uint8Array>(bytes: Bytes): Pinned<Bytes> => ({
    bytes,
    address: Number(koffi.address(bytes)),
  })
  return {
    pin,
    // An ArrayBuffer has memory of its own, outside V8's heap, where the collector would move it.
    allocate: (length) => pin(Buffer.from(new ArrayBuffer(length))),
    copier: (from, to) => (fromAt, toAt, length) => {
      if (fromAt < 0 || toAt < 0) throw new RangeError('a position before the beginning of a buffer')
      checkLength(from, fromAt + length)
      checkLength(to, toAt + length)
      libc.memcpy(to.address + toAt, from.address + fromAt, length)
    },
  }
}

function socketCalls(libc: Functions, memory: MemoryCalls): SocketCalls {
  const scratch = memory.allocate(4)
  return {
    socket: (family) => libc.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0),
    bind: (fd, address, length) => libc.bind(fd, address.address, checkLength(address, length)),
    close: (fd) => {
      libc.close(fd)
    },
    setBufferSize: (fd, octets) => {
      scratch.bytes.writeInt32LE(octets, 0)
      const set = (option: number): number => libc.setsockopt(fd, SOL_SOCKET, option, scratch.address, 4)
      if (set(SO_RCVBUFFORCE) < 0) set(SO_RCVBUF)
      if (set(SO_SNDBUFFORCE) < 0) set(SO_SNDBUF)
    },
    receive: (fd, messages, count) => {
      checkLength(messages, count * mmsghdrBytes)
      return libc.recvmmsg(fd, messages.address, count, MSG_DONTWAIT_NOSIGNAL, 0)
    },
    send: (fd, messages, from, to) => {
      checkLength(messages, to * mmsghdrBytes)
      return libc.sendmmsg(fd, messages.address + from * mmsghdrBytes, to - from, MSG_DONTWAIT_NOSIGNAL)
    },
  }
}

function epollCalls(libc: Functions, memory: MemoryCalls, eventBytes: number): EpollCalls {
  const events = memory.allocate(eventBytes * maxReady)
  const scratch = memory.allocate(16)
  const dataAt = eventBytes - 8
  return {
    createEpoll: () => libc.epoll_create1(0),
    watch: (epoll, fd, wanted, change) => {
      scratch.bytes.fill(0)
      scratch.bytes.writeUInt32LE(wanted, 0)
      scratch.bytes.writeInt32LE(fd, dataAt)
      return libc.epoll_ctl(epoll, change === 'add' ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, scratch.address)
    },
    wait: (epoll, timeoutMs) => libc.epoll_wait(epoll, events.address, maxReady, timeoutMs),
    readyFd: (i) => events.bytes.readInt32LE(i * eventBytes + dataAt),
    readyEvents: (i) => events.bytes.readUInt32LE(i * eventBytes),
    createEvent: () => libc.eventfd(0, EFD_NONBLOCK_CLOEXEC),
    signalEvent: (fd) => {
      scratch.bytes.fill(0)
      scratch.bytes[0] = 1
      libc.write(fd, scratch.address, 8)
    },
    clearEvent: (fd) => {
      libc.read(fd, scratch.address, 8)
    },
  }
}

function checkLength(buffer: Pinned, length: number): number {
  if (length > buffer.bytes.length)
    throw new RangeError(`${length} octets in a buffer of ${buffer.bytes.length}`)
  return length
}

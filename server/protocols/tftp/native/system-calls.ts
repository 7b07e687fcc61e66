import { createRequire } from 'node:module'
import { endianness, platform } from 'node:os'

/**
 * The system calls of the fast carrier, by koffi (an optional dependency that ships its binary). What could hurt memory is
 * in this file and in datagrams.ts: each call's signature, and the rule that every address handed to the kernel is that of
 * a buffer made by `pinned`, with a length that fits it.
 *
 * What it is for: one call receives what dozens of clients have said, one call answers them all, each with a window of
 * up to 64 packets (UDP_SEGMENT), and nothing of it makes garbage. Node's dgram offers none of that.
 */
export interface NativeUdp {
  pinned(length: number): Pinned<Buffer>
  /** Memory that is there already, a SharedArrayBuffer's for example. */
  pin(bytes: Uint8Array): Pinned
  copy(from: Pinned, fromAt: number, length: number, to: Pinned, toAt: number): void
  /** A non-blocking datagram socket, or -1. */
  socket(family: 4 | 6): number
  bind(fd: number, address: Pinned, length: number): number
  close(fd: number): void
  /** Room for what is under way in either direction. Without privilege the kernel gives what it thinks is enough. */
  room(fd: number, octets: number): void
  /** recvmmsg(2), without waiting: how many of `count` `struct mmsghdr`s at `messages` it has filled, or -1. */
  receive(fd: number, messages: Pinned, count: number): number
  /** sendmmsg(2), without waiting: how many of the messages `from` to `to` it has taken, or -1 when not even the first. */
  send(fd: number, messages: Pinned, from: number, to: number): number
  epoll(): number
  /** `events` is a sum of `readable` and `writable`. */
  watch(epoll: number, fd: number, events: number, change: 'add' | 'modify'): number
  /** How many descriptors are ready, at most `maxReady`; `ready(i)` and `readyEvents(i)` then name them. */
  wait(epoll: number, timeoutMs: number): number
  ready(i: number): number
  readyEvents(i: number): number
  /** A descriptor that becomes readable by `ring` until `silence`. */
  bell(): number
  ring(bell: number): void
  silence(bell: number): void
  /** Of the last call that gave -1. */
  errno(): number
}

/** Memory that stays where it is, with its address. The view keeps it alive: hold on to this object while it is in use. */
export interface Pinned<Bytes extends Uint8Array = Uint8Array> {
  readonly bytes: Bytes
  readonly address: number
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

type Call = (...args: (number | bigint)[]) => number

interface Koffi {
  load(path: null): { func(prototype: string): Call }
  address(buffer: Uint8Array): bigint
  errno(): number
}

/** Undefined where it cannot be had: another system than Linux, a CPU we do not know, koffi not installed. */
export function loadNative(): NativeUdp | undefined {
  // struct epoll_event is packed on x64 only, and the numbers above are those of the common architectures.
  const eventBytes = process.arch === 'x64' ? 12 : process.arch === 'arm64' ? 16 : 0
  if (platform() !== 'linux' || endianness() !== 'LE' || eventBytes === 0) return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    return nativeUdp(koffi, eventBytes)
  } catch {
    return undefined
  }
}

function nativeUdp(koffi: Koffi, eventBytes: number): NativeUdp {
  const libc = koffi.load(null)
  const call = {
    socket: libc.func('int socket(int, int, int)'),
    bind: libc.func('int bind(int, uintptr_t, uint32_t)'),
    close: libc.func('int close(int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
    recvmmsg: libc.func('int recvmmsg(int, uintptr_t, uint32_t, int, uintptr_t)'),
    sendmmsg: libc.func('int sendmmsg(int, uintptr_t, uint32_t, int)'),
    epoll_create1: libc.func('int epoll_create1(int)'),
    epoll_ctl: libc.func('int epoll_ctl(int, int, int, uintptr_t)'),
    epoll_wait: libc.func('int epoll_wait(int, uintptr_t, int, int)'),
    eventfd: libc.func('int eventfd(uint32_t, int)'),
    read: libc.func('int64_t read(int, uintptr_t, size_t)'),
    write: libc.func('int64_t write(int, uintptr_t, size_t)'),
    // Of its pointer, which is ours, nothing is needed.
    memcpy: libc.func('int memcpy(uintptr_t, uintptr_t, size_t)'),
  }
  const pin = <Bytes extends Uint8Array>(bytes: Bytes): Pinned<Bytes> => ({
    bytes,
    address: Number(koffi.address(bytes)),
  })
  // With memory of its own, outside V8's heap, in which things are moved.
  const pinned = (length: number): Pinned<Buffer> => pin(Buffer.from(new ArrayBuffer(length)))
  const events = pinned(eventBytes * maxReady)
  const scratch = pinned(16)
  const dataAt = eventBytes - 8
  const fits = (buffer: Pinned, length: number): number => {
    if (length > buffer.bytes.length) throw new RangeError(`${length} octets of ${buffer.bytes.length}`)
    return length
  }
  return {
    pinned,
    pin,
    copy: (from, fromAt, length, to, toAt) => {
      if (fromAt < 0 || toAt < 0) throw new RangeError('a place before the beginning')
      fits(from, fromAt + length)
      fits(to, toAt + length)
      call.memcpy(to.address + toAt, from.address + fromAt, length)
    },
    socket: (family) => call.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0),
    bind: (fd, address, length) => call.bind(fd, address.address, fits(address, length)),
    close: (fd) => {
      call.close(fd)
    },
    room: (fd, octets) => {
      scratch.bytes.writeInt32LE(octets, 0)
      const set = (option: number): number => call.setsockopt(fd, SOL_SOCKET, option, scratch.address, 4)
      if (set(SO_RCVBUFFORCE) < 0) set(SO_RCVBUF)
      if (set(SO_SNDBUFFORCE) < 0) set(SO_SNDBUF)
    },
    receive: (fd, messages, count) => {
      fits(messages, count * mmsghdrBytes)
      return call.recvmmsg(fd, messages.address, count, MSG_DONTWAIT_NOSIGNAL, 0)
    },
    send: (fd, messages, from, to) => {
      fits(messages, to * mmsghdrBytes)
      return call.sendmmsg(fd, messages.address + from * mmsghdrBytes, to - from, MSG_DONTWAIT_NOSIGNAL)
    },
    epoll: () => call.epoll_create1(0),
    watch: (epoll, fd, wanted, change) => {
      scratch.bytes.fill(0)
      scratch.bytes.writeUInt32LE(wanted, 0)
      scratch.bytes.writeInt32LE(fd, dataAt)
      return call.epoll_ctl(epoll, change === 'add' ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, scratch.address)
    },
    wait: (epoll, timeoutMs) => call.epoll_wait(epoll, events.address, maxReady, timeoutMs),
    ready: (i) => events.bytes.readInt32LE(i * eventBytes + dataAt),
    readyEvents: (i) => events.bytes.readUInt32LE(i * eventBytes),
    bell: () => call.eventfd(0, EFD_NONBLOCK_CLOEXEC),
    ring: (bell) => {
      scratch.bytes.fill(0)
      scratch.bytes[0] = 1
      call.write(bell, scratch.address, 8)
    },
    silence: (bell) => {
      call.read(bell, scratch.address, 8)
    },
    errno: () => koffi.errno(),
  }
}

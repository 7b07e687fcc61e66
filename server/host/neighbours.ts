import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import ipaddr from 'ipaddr.js'
import { bindLibc } from './koffi.ts'

/** Flag of a complete entry (linux/if_arp.h, ATF_COM): an incomplete one has no address of hardware yet. */
const complete = 0x2

/**
 * The MAC address that the kernel knows for an address; undefined for a machine that is not on a network of this host, or
 * that has not been spoken to. IPv4 is in a file. Of IPv6 the kernel tells this by netlink alone, which needs koffi.
 *
 * @param table For tests. Default: the table of this network namespace (proc(5), /proc/net/arp).
 */
export async function neighbourMac(address: string, table = '/proc/net/arp'): Promise<string | undefined> {
  if (address.includes(':')) return ipv6NeighbourMac(address)
  const text = await readFile(table, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const [ip, , flags = '', mac] = line.split(/\s+/)
    if (ip === address && (Number(flags) & complete) !== 0) return mac
  }
  return undefined
}

/** Netlink, see rtnetlink(7): the numbers are those of linux/netlink.h, linux/rtnetlink.h and linux/neighbour.h. */
const AF_NETLINK = 16
const AF_INET6 = 10
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const MSG_DONTWAIT = 0x40
const RTM_NEWNEIGH = 28
const RTM_GETNEIGH = 30
const NLM_F_REQUEST_DUMP = 0x301
const NDA_DST = 1
const NDA_LLADDR = 2
/** States in which the kernel has an address of hardware and believes in it: permanent, probe, delay, stale, reachable. */
const NUD_KNOWN = 0x80 | 0x10 | 0x08 | 0x04 | 0x02
/** Octets of `struct nlmsghdr`, and of that with `struct ndmsg` behind it. */
const headBytes = 16
const neighbourBytes = headBytes + 12
/** The kernel fills at most so much in one answer. */
const answerBytes = 32 * 1024
/** The kernel keeps 1024 neighbours (gc_thresh3), some 100 octets each; an operator may raise that. */
const mostAnswers = 256

type Netlink = ReturnType<typeof bindNetlink>
let bound: { readonly netlink: Netlink } | undefined

function bindNetlink() {
  return bindLibc((libc) => ({
    socket: libc.func('int socket(int, int, int)'),
    send: libc.func('int64_t send(int, const uint8_t *, size_t, int)'),
    recv: libc.func('int64_t recv(int, _Out_ uint8_t *, size_t, int)'),
    close: libc.func('int close(int)'),
  }))
}

/** Two machines may have one link-local address, each on its own network. Then nobody knows which of them asks. */
function ipv6NeighbourMac(address: string): string | undefined {
  const plain = address.replace(/%.*$/, '')
  bound ??= { netlink: endianness() === 'LE' ? bindNetlink() : undefined }
  const { netlink } = bound
  if (!netlink || !ipaddr.IPv6.isValid(plain)) return undefined
  const wanted = Buffer.from(ipaddr.IPv6.parse(plain).toByteArray())
  const macs = new Set<string>()
  for (const message of ipv6Neighbours(netlink)) {
    const mac = macOf(message, wanted)
    if (mac !== undefined) macs.add(mac)
  }
  const [mac, second] = macs
  return second === undefined ? mac : undefined
}

/** Asks the kernel for its whole table, as `ip -6 neigh` does. The answer is there at once: nothing waits. */
function* ipv6Neighbours({ socket, send, recv, close }: NonNullable<Netlink>): Iterable<Buffer> {
  const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0)
  if (fd < 0) return
  try {
    const request = Buffer.alloc(neighbourBytes)
    request.writeUInt32LE(request.length, 0)
    request.writeUInt16LE(RTM_GETNEIGH, 4)
    request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6)
    request.writeUInt8(AF_INET6, headBytes)
    if (send(fd, request, request.length, 0) !== request.length) return
    const answer = Buffer.alloc(answerBytes)
    for (let count = 0; count < mostAnswers; count++) {
      const length = recv(fd, answer, answer.length, MSG_DONTWAIT)
      if (length < headBytes) return
      for (let at = 0; at + headBytes <= length; ) {
        const bytes = answer.readUInt32LE(at)
        // NLMSG_ERROR and NLMSG_DONE, too, end it.
        if (bytes < headBytes || at + bytes > length || answer.readUInt16LE(at + 4) !== RTM_NEWNEIGH) return
        yield answer.subarray(at, at + bytes)
        at += aligned(bytes)
      }
    }
  } finally {
    close(fd)
  }
}

/** The MAC in one message, when it is about this address. */
function macOf(message: Buffer, wanted: Buffer): string | undefined {
  if (message.length < neighbourBytes || (message.readUInt16LE(headBytes + 8) & NUD_KNOWN) === 0)
    return undefined
  let isWanted = false
  let mac: string | undefined
  for (let at = neighbourBytes; at + 4 <= message.length; ) {
    const bytes = message.readUInt16LE(at)
    if (bytes < 4 || at + bytes > message.length) return undefined
    const value = message.subarray(at + 4, at + bytes)
    const type = message.readUInt16LE(at + 2)
    if (type === NDA_DST) isWanted = value.equals(wanted)
    else if (type === NDA_LLADDR && value.length === 6)
      mac = [...value].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
    at += aligned(bytes)
  }
  return isWanted ? mac : undefined
}

function aligned(bytes: number): number {
  return (bytes + 3) & ~3
}

import { createSocket, type RemoteInfo } from 'node:dgram'
import { describe, expect, test } from 'vitest'
import { memorySource } from '../../../../server/files/memory.ts'
import { loadSystemCalls } from '../../../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../../../server/protocols/tftp/server.ts'
import {
  PortPool,
  type TransferPort,
  TransfersByPeer,
} from '../../../../server/protocols/tftp/transfer/ports.ts'
import { decodePacket, encodePacket, type Packet } from '../../../../server/protocols/tftp/wire/packet.ts'
import { fetchTftp } from '../../../support/tftp-client.ts'

describe('the transfers of one port', () => {
  test('a peer gets a port only once', () => {
    const transfers = new TransfersByPeer<string, number>()
    expect(transfers.accepts('a')).toBe(true)
    transfers.add('a', 1)
    expect(transfers.accepts('a')).toBe(false)
    expect(transfers.find('a')).toBe(1)
    transfers.remove('a')
    expect(transfers.find('a')).toBeUndefined()
    expect(transfers.hadPeer('a')).toBe(true)
    expect(transfers.accepts('a')).toBe(false)
    expect(transfers.accepts('b')).toBe(true)
  })

  test('a port has at most 256 transfers at once and 1024 in all', () => {
    const many = new TransfersByPeer<number, number>()
    for (let n = 0; n < 256; n++) many.add(n, n)
    expect(many.accepts(256)).toBe(false)
    many.remove(0)
    expect(many.accepts(256)).toBe(true)
    expect(many.exhausted).toBe(false)
    for (let n = 256; n < 1024; n++) {
      many.add(n, n)
      many.remove(n)
    }
    expect(many.exhausted).toBe(true)
    expect(many.accepts(5000)).toBe(false)
  })
})

describe('the ports of a backend', () => {
  class FakePort implements TransferPort {
    size = 1
    exhausted = false
    closed = false
    close(): void {
      this.closed = true
    }
  }
  const make = () => new FakePort()

  test('a port that accepts the transfer is used; if none does, a new port is opened', () => {
    const ports = new PortPool<FakePort>()
    const first = ports.pick(() => true, make)
    expect(ports.pick(() => true, make)).toBe(first)
    const second = ports.pick((port) => port !== first, make)
    expect(ports.open).toEqual([first, second])
  })

  test('an exhausted port closes after its last transfer; four idle ports are kept until closeIdle', () => {
    const ports = new PortPool<FakePort>()
    const all = Array.from({ length: 7 }, () => ports.pick(() => false, make))
    const [first, ...others] = all
    if (!first) throw new Error('no port')
    first.exhausted = true
    ports.transferEnded(first)
    expect(first.closed).toBe(false)
    first.size = 0
    ports.transferEnded(first)
    expect(first.closed).toBe(true)
    for (const port of others) {
      port.size = 0
      ports.transferEnded(port)
    }
    expect(ports.open).toHaveLength(4)
    ports.closeIdle()
    expect(ports.open).toEqual([])
    expect(all.every((port) => port.closed)).toBe(true)
  })
})

const nativeModes = loadSystemCalls() ? (['off', 'required'] as const) : (['off'] as const)

describe.each(nativeModes)('transfers that share ports, system calls %s', (native) => {
  async function open(files: Readonly<Record<string, string>>) {
    const service = new TftpListener({
      bind: '127.0.0.1',
      port: 0,
      source: memorySource(files),
      events: () => undefined,
      native,
      limits: { stopMs: 20 },
    })
    await service.start()
    return { service, port: service.address?.port ?? 0 }
  }

  test('clients share ports, and each gets its own file', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`/f${n}`, String(n).repeat(60_000)]),
    )
    const { service, port } = await open(files)
    const got = await Promise.all(Object.keys(files).map((path) => fetchTftp(path, { port })))
    expect(got.map(({ bytes }) => bytes.toString())).toEqual(Object.values(files))
    expect(new Set(got.map(({ serverPort }) => serverPort)).size).toBeLessThan(20)
    await service.stop()
  })

  test.each([
    ['short transfers', 100],
    ['long transfers', 9000], // four windows of 512 octets and more may go to the native backend
  ])(
    'a boot ROM with one fixed port, %s: another port of ours for each file, and a late ACK does no harm',
    async (_, size) => {
      const names = ['/a', '/b', '/c', '/d', '/e', '/f']
      const { service, port } = await open(Object.fromEntries(names.map((name) => [name, 'x'.repeat(size)])))
      const rom = new Rom(port)
      const ourPorts: number[] = []
      for (const name of names) {
        const { octets, peer, lastBlock } = await rom.fetch(name)
        expect(octets).toBe(size)
        ourPorts.push(peer.port)
        // The ROM repeats its last ACK, as after a repeated last block, and at once requests the next file.
        rom.send(encodePacket({ type: 'ack', block: lastBlock }), peer.port)
      }
      expect(new Set(ourPorts).size).toBe(names.length)
      expect(rom.errors).toEqual([])
      rom.close()
      await service.stop()
    },
  )
})

/** A client that sends everything from one port, as PXE ROMs do. */
class Rom {
  readonly errors: Packet[] = []
  readonly #server: number
  readonly #socket = createSocket('udp4')
  #onData: (packet: Packet, from: RemoteInfo) => void = () => undefined

  constructor(server: number) {
    this.#server = server
    this.#socket.on('message', (bytes, from) => {
      const packet = decodePacket(bytes)
      if (packet.type === 'error') this.errors.push(packet)
      else if (packet.type === 'data') this.#onData(packet, from)
    })
  }

  send(bytes: Uint8Array, to: number): void {
    this.#socket.send(bytes, to, '127.0.0.1')
  }

  fetch(filename: string): Promise<{ octets: number; peer: RemoteInfo; lastBlock: number }> {
    return new Promise((resolve) => {
      let octets = 0
      let next = 1
      this.#onData = (packet, from) => {
        if (packet.type !== 'data' || packet.block !== next) return
        next++
        octets += packet.data.length
        this.send(encodePacket({ type: 'ack', block: packet.block }), from.port)
        if (packet.data.length < 512) resolve({ octets, peer: from, lastBlock: packet.block })
      }
      this.send(encodePacket({ type: 'rrq', filename, mode: 'octet', options: new Map() }), this.#server)
    })
  }

  close(): void {
    this.#socket.close()
  }
}

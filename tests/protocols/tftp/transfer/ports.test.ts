import { createSocket, type RemoteInfo } from 'node:dgram'
import { describe, expect, test } from 'vitest'
import { memorySource } from '../../../../server/files/memory.ts'
import { loadNative } from '../../../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../../../server/protocols/tftp/server.ts'
import { type Port, Ports, Tenants } from '../../../../server/protocols/tftp/transfer/ports.ts'
import { decodePacket, encodePacket, type Packet } from '../../../../server/protocols/tftp/wire/packet.ts'
import { fetchTftp } from '../../../support/tftp-client.ts'

describe('who uses a port', () => {
  test('whoever is there or was there does not come again', () => {
    const tenants = new Tenants<string, number>()
    expect(tenants.takes('a')).toBe(true)
    tenants.enter('a', 1)
    expect(tenants.takes('a')).toBe(false)
    expect(tenants.find('a')).toBe(1)
    tenants.leave('a')
    expect(tenants.find('a')).toBeUndefined()
    expect(tenants.hasLeft('a')).toBe(true)
    expect(tenants.takes('a')).toBe(false)
    expect(tenants.takes('b')).toBe(true)
  })

  test('no more at once than their ACKs find room, and no more in all than a number should live', () => {
    const crowded = new Tenants<number, number>()
    for (let n = 0; n < 256; n++) crowded.enter(n, n)
    expect(crowded.takes(256)).toBe(false)
    crowded.leave(0)
    expect(crowded.takes(256)).toBe(true)
    expect(crowded.spent).toBe(false)
    for (let n = 256; n < 1024; n++) {
      crowded.enter(n, n)
      crowded.leave(n)
    }
    expect(crowded.spent).toBe(true)
    expect(crowded.takes(5000)).toBe(false)
  })
})

describe('the ports of a carrier', () => {
  class FakePort implements Port {
    size = 1
    spent = false
    closed = false
    close(): void {
      this.closed = true
    }
  }
  const make = () => new FakePort()

  test('one that takes the transfer is used; a new one is opened where none does', () => {
    const ports = new Ports<FakePort>()
    const first = ports.pick(() => true, make)
    expect(ports.pick(() => true, make)).toBe(first)
    const second = ports.pick((port) => port !== first, make)
    expect(ports.open).toEqual([first, second])
  })

  test('a spent one goes with its last transfer, a few others are kept, and none for long', () => {
    const ports = new Ports<FakePort>()
    const all = Array.from({ length: 7 }, () => ports.pick(() => false, make))
    const [first, ...others] = all
    if (!first) throw new Error('no port')
    first.spent = true
    ports.left(first)
    expect(first.closed).toBe(false)
    first.size = 0
    ports.left(first)
    expect(first.closed).toBe(true)
    for (const port of others) {
      port.size = 0
      ports.left(port)
    }
    expect(ports.open).toHaveLength(4)
    ports.rest()
    expect(ports.open).toEqual([])
    expect(all.every((port) => port.closed)).toBe(true)
  })
})

const carriers = loadNative() ? (['off', 'required'] as const) : (['off'] as const)

describe.each(carriers)('sharing, system calls %s', (native) => {
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

  test('clients at the same time share a port, and each gets its own file', async () => {
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
    ['a short transfer', 100],
    ['a long one', 9000],
  ])(
    'a boot ROM that always asks from one port, %s: a new number each time, and a late ACK does no harm',
    async (_, size) => {
      const names = ['/a', '/b', '/c', '/d', '/e', '/f']
      const { service, port } = await open(Object.fromEntries(names.map((name) => [name, 'x'.repeat(size)])))
      const rom = new Rom(port)
      const numbers: number[] = []
      for (const name of names) {
        const { octets, peer, lastBlock } = await rom.fetch(name)
        expect(octets).toBe(size)
        numbers.push(peer.port)
        // Its last ACK comes again, as after a repeated last block, and it asks for the next file at once.
        rom.send(encodePacket({ type: 'ack', block: lastBlock }), peer.port)
      }
      expect(new Set(numbers).size).toBe(names.length)
      expect(rom.errors).toEqual([])
      rom.close()
      await service.stop()
    },
  )
})

/** A client with one port for ever, as PXE ROMs have it. */
class Rom {
  readonly errors: Packet[] = []
  readonly #server: number
  readonly #socket = createSocket('udp4')
  #heard: (packet: Packet, from: RemoteInfo) => void = () => undefined

  constructor(server: number) {
    this.#server = server
    this.#socket.on('message', (bytes, from) => {
      const packet = decodePacket(bytes)
      if (packet.type === 'error') this.errors.push(packet)
      else if (packet.type === 'data') this.#heard(packet, from)
    })
  }

  send(bytes: Uint8Array, to: number): void {
    this.#socket.send(bytes, to, '127.0.0.1')
  }

  fetch(filename: string): Promise<{ octets: number; peer: RemoteInfo; lastBlock: number }> {
    return new Promise((resolve) => {
      let octets = 0
      let next = 1
      this.#heard = (packet, from) => {
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

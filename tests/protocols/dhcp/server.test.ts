import { describe, expect, test } from 'vitest'
import type { NetworkReply } from '../../../server/core/loader/network-offer.ts'
import { encodePacket } from '../../../server/protocols/dhcp/packet.ts'
import { DhcpListener } from '../../../server/protocols/dhcp/server.ts'
import { clients, request } from '../../support/dhcp.ts'
import {
  broadcast,
  discover,
  loopback,
  macOf,
  offer,
  openSocket,
  startService,
  until,
  unused,
} from '../../support/dhcp-service.ts'

describe('the conversation', () => {
  test('a DISCOVER gets a broadcast with our address on its interface', async () => {
    const { send, offers, asked, events } = await startService()
    await send(discover())
    await until(() => offers.length === 1, 'an offer')
    expect(offers[0]).toMatchObject({ siaddr: '127.0.0.1', file: 'snponly.efi', yiaddr: '0.0.0.0' })
    expect(asked[0]).toMatchObject({
      serverAddress: '127.0.0.1',
      isFollowUp: false,
      client: { mac: macOf(1), archs: [7], vendorClass: clients.uefi.vendorClass },
    })
    expect(events).toEqual([
      {
        type: 'boot',
        protocol: 'dhcp',
        client: macOf(1),
        guest: 'web01',
        decision: 'snponly.efi for uefi-x64: the default',
      },
    ])
  })

  test('a request that is repeated gets a reply again, and there is one event', async () => {
    const { send, offers, events } = await startService()
    await send(discover())
    await send(discover())
    await until(() => offers.length === 2, 'two offers')
    expect(events.length).toBe(1)
  })

  test('the reply to a relayed request goes to the relay', async () => {
    const { send, relayed } = await startService()
    await send(discover(clients.uefi, { giaddr: '127.0.0.1', hops: 1 }), 'unicast')
    await until(() => relayed.length === 1, 'an offer by the relay')
    expect(relayed[0]).toMatchObject({ giaddr: '127.0.0.1', siaddr: '127.0.0.1' })
  })

  test('port 4011 sends an ACK to the port that asked', async () => {
    const asker = await openSocket('127.0.0.1')
    const { send, offers, asked } = await startService()
    const bytes = encodePacket(
      request('request', { mac: macOf(1), ...clients.uefi }, { ciaddr: '127.0.0.1' }),
    )
    await send(bytes, 'boot-server', asker.socket)
    await until(() => asker.received.length === 1, 'an ACK')
    expect(asker.received[0]?.options.get(53)).toEqual(Buffer.from([5])) // DHCPACK
    expect(asked[0]).toMatchObject({ isFollowUp: true, clientAddress: '127.0.0.1' })
    expect(offers).toEqual([])
  })

  test('each packet of a machine that boots is an event with its MAC, transaction and address', async () => {
    const asker = await openSocket('127.0.0.1')
    const { send, packets } = await startService(async () => ({ ...offer, why: 'the default' }))
    await send(discover())
    await until(() => packets.length === 1, 'the offer')
    const chosen = new Map([
      [50, Uint8Array.of(10, 0, 0, 7)],
      [54, Uint8Array.of(10, 0, 0, 1)],
    ])
    await send(encodePacket(request('request', { mac: macOf(1), ...clients.uefi }, { options: chosen })))
    await until(() => packets.length === 2, 'the request to the other server')
    const follow = request('request', { mac: macOf(1), ...clients.uefi }, { ciaddr: '10.0.0.7', xid: 9 })
    await send(encodePacket(follow), 'boot-server', asker.socket)
    await until(() => packets.length === 3, 'the confirmation')
    // A running system renews its address: no boot.
    await send(encodePacket(request('request', { mac: macOf(2), ...clients.dhclient }, { options: chosen })))
    await send(discover({ ...clients.bios, mac: macOf(3) }))
    await until(() => packets.length === 4, 'the next machine')
    const mac = macOf(1)
    expect(packets).toMatchObject([
      {
        step: 'offered',
        port: 67,
        mac,
        xid: 0x1234_5678,
        firmware: 'uefi-x64',
        file: 'snponly.efi',
        guest: 'web01',
      },
      { step: 'leased', port: 67, mac, address: '10.0.0.7', server: '10.0.0.1' },
      { step: 'confirmed', port: 4011, mac, xid: 9, address: '10.0.0.7', file: 'snponly.efi' },
      { step: 'offered', mac: macOf(3) },
    ])
  })

  test('a machine that gets no answer receives nothing, and the event says why', async () => {
    const answers: (NetworkReply | undefined)[] = [
      undefined,
      { kind: 'silence', why: 'it is not a guest' },
      offer,
    ]
    const { send, offers, events } = await startService(async () => answers.shift())
    await send(discover({ ...clients.dhclient, mac: macOf(2) }))
    await send(discover({ ...clients.bios, mac: macOf(3) }))
    await send(discover({ ...clients.bios, mac: macOf(4) }))
    await until(() => offers.length === 1, 'the third to be answered')
    expect(events.map((event) => (event.type === 'boot' ? [event.client, event.decision] : event))).toEqual([
      [macOf(3), 'no reply: it is not a guest'],
      [macOf(4), 'snponly.efi for uefi-x64: the default'],
    ])
  })

  test('a decision that fails is an event of type trouble, and the next request is answered', async () => {
    let calls = 0
    const { send, offers, events } = await startService(async () => {
      if (calls++ === 0) throw new Error('disk on fire')
      return offer
    })
    await send(discover())
    await until(() => events.length === 1, 'trouble')
    await send(discover())
    await until(() => offers.length === 1, 'an offer')
    expect(events[0]).toEqual({
      type: 'trouble',
      where: `dhcp reply to ${macOf(1)}`,
      message: 'disk on fire',
    })
  })
})

describe('many requests, and junk', () => {
  test('a thousand clients, each asking at port 67 and at port 4011, all get their replies', async () => {
    const asker = await openSocket('127.0.0.1')
    const { send, offers } = await startService()
    for (let number = 0; number < 1000; number++) {
      const client = { mac: macOf(number), ...clients.uefi }
      await send(encodePacket(request('discover', client, { xid: number })))
      await send(encodePacket(request('request', client, { xid: number })), 'boot-server', asker.socket)
      // The kernel's default buffer holds some 160 packets.
      if (number % 20 === 19)
        await until(
          () => offers.length === number + 1 && asker.received.length === number + 1,
          `answer ${number}`,
        )
    }
    expect(new Set(offers.map(({ xid }) => xid)).size).toBe(1000)
    expect(new Set(asker.received.map(({ xid }) => xid)).size).toBe(1000)
  })

  test('bytes that are not a packet crash nothing, make few events, and do not fill the memory', async () => {
    const { send, offers, events, asked } = await startService()
    // A linear congruential generator, so that every run sends the same junk.
    let seed = 12345
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return seed / 2 ** 32
    }
    const good = discover()
    const junk = (): Buffer => {
      const bytes = Buffer.from(random() < 0.5 ? good : Buffer.alloc(Math.floor(random() * 700)))
      for (let edits = 0; edits < 20 && bytes.length > 0; edits++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
      // Not a request, whatever the edits made of it.
      if (bytes.length > 0) bytes[0] = 2
      return bytes
    }
    const rounds = async (count: number) => {
      for (let round = 0; round < count; round++) {
        await Promise.all(
          Array.from({ length: 50 }, () => send(junk(), round % 2 ? 'broadcast' : 'boot-server')),
        )
        const before = offers.length
        await send(good)
        await until(() => offers.length > before, 'an answer after the junk')
      }
    }
    // Each round has one good request: the limit for one client is 40 in ten seconds.
    await rounds(5)
    const usedBefore = process.memoryUsage().heapUsed
    await rounds(30)
    expect(process.memoryUsage().heapUsed - usedBefore).toBeLessThan(64 * 1024 * 1024)
    expect(asked.length).toBe(offers.length)
    expect(events.filter(({ type }) => type === 'trouble')).toEqual([])
    expect(events.length).toBeLessThan(500) // of 35 rounds with 50 pieces of junk each
  })

  test('a machine that asks without end gets a limited number of replies', async () => {
    const { send, offers } = await startService(undefined, { limits: { perClient: 3 } })
    for (let number = 0; number < 20; number++) await send(discover(clients.uefi, { xid: number }))
    await send(discover({ mac: macOf(2), ...clients.uefi }, { xid: 99 }))
    await until(() => offers.some(({ xid }) => xid === 99), 'the other machine')
    expect(offers.map(({ xid }) => xid)).toEqual([0, 1, 2, 99])
  })
})

test('a machine gets a reply on every interface, however many the machine has, and counts once', async () => {
  const local = Object.fromEntries(
    Array.from({ length: 60 }, (_, n) => [
      `v${n}`,
      [{ address: `127.0.2.${n + 1}`, family: 'IPv4', internal: true, netmask: '', mac: '', cidr: null }],
    ]),
  )
  const { send, offers, asked } = await startService(undefined, {
    interfaces: Object.keys(local),
    localInterfaces: () => local as never,
    limits: { perClient: 3 },
  })
  for (const xid of [1, 2, 3]) await send(discover(clients.uefi, { xid }))
  await until(() => offers.length === 180, 'a reply on every interface each time')
  expect(new Set(offers.map(({ siaddr }) => siaddr)).size).toBe(60)
  expect(asked.filter(({ isRepeat }) => !isRepeat)).toHaveLength(3)
})

describe('opening and closing', () => {
  test('the failure for a taken port says how to go on', async () => {
    const taken = await openSocket(broadcast)
    const service = new DhcpListener({
      interfaces: ['lo'],
      bind: '0.0.0.0',
      port: taken.port,
      broadcast,
      ports: { bootServer: 0, client: unused, relay: unused },
      localInterfaces: () => loopback,
      decide: async () => offer,
      events: () => {},
    })
    await expect(service.start()).rejects.toThrow(
      /another DHCP server runs on this machine.*treeboot dhcp-config/,
    )
    expect(service.address).toBeUndefined()
  })

  test('the service opens without any interface, and says so', async () => {
    const { service, events } = await startService(undefined, {
      localInterfaces: () => ({}),
      interfaces: ['br9'],
    })
    expect(service.interfaces).toEqual([])
    expect(events).toEqual([
      expect.objectContaining({
        type: 'trouble',
        message: expect.stringMatching(/^br9: .*IPv4 address/),
      }),
    ])
  })

  test.each([
    ['10.91.9.9', 'the address 10.91.9.9 (dhcp.bind)'],
    ['fd91:1::1', 'ProxyDHCP is IPv4. Set dhcp.bind'],
  ])('bound to %s, where no client can reach it, the service says why', async (bind, why) => {
    const { events } = await startService(undefined, { interfaces: [], bind })
    expect(events).toEqual([
      expect.objectContaining({ type: 'trouble', message: expect.stringContaining(why) }),
    ])
  })

  test('stop may be called twice', async () => {
    const { service } = await startService()
    await service.stop()
    await service.stop()
    expect(service.address).toBeUndefined()
  })
})

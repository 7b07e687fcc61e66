import { createSocket } from 'node:dgram'
import { expect, onTestFinished, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { bytesOf, optionCode } from '../../../server/protocols/dhcp/options/option.ts'
import { type DhcpPacket, decodePacket, encodePacket } from '../../../server/protocols/dhcp/packet.ts'
import { ProxyProbe } from '../../../server/protocols/dhcp/probe.ts'
import { DhcpListener, type DhcpListenerOptions } from '../../../server/protocols/dhcp/server.ts'
import { eventually } from '../../support/eventually.ts'

/** On loopback, whose broadcast address is 127.255.255.255. */
const broadcast = '127.255.255.255'
const here = { name: 'lo', address: '127.0.0.2' }
const waitMs = 50

async function openSocket(address: string, options: { reuseAddr?: boolean } = {}) {
  const socket = createSocket({ type: 'udp4', ...options })
  await new Promise<void>((resolve) => socket.bind({ address, port: 0 }, resolve))
  socket.setBroadcast(true)
  onTestFinished(async () => {
    await new Promise<void>((resolve) => socket.close(resolve))
  })
  return { socket, port: socket.address().port }
}

/** A port of clients; a DHCP client of this machine has it already. */
const clientPort = async () => (await openSocket(broadcast, { reuseAddr: true })).port

async function startServer(client: number, more: Partial<DhcpListenerOptions> = {}) {
  const events: Event[] = []
  const asked: unknown[] = []
  const interfaceOf = (address: string) => [{ address, family: 'IPv4', internal: true }]
  const service = new DhcpListener({
    interfaces: ['lo'],
    bind: '0.0.0.0',
    port: 0,
    ports: { bootServer: 0, client, relay: 1 },
    broadcast,
    localInterfaces: () => ({ lo: interfaceOf('127.0.0.1') }) as never,
    events: (event) => events.push(event),
    decide: async (ask) => {
      asked.push(ask)
      return undefined
    },
    probe: 'never',
    ...more,
  })
  await service.start()
  onTestFinished(() => service.stop())
  return { service, events, asked, port: service.address?.port ?? 0 }
}

/** Answers each request for network boot; `reply` changes the offer of a proxy that names itself. */
async function answering(client: number, reply: (question: DhcpPacket) => Partial<DhcpPacket>) {
  const { socket, port } = await openSocket(broadcast)
  const questions: DhcpPacket[] = []
  socket.on('message', (bytes) => {
    const question = decodePacket(bytes)
    if ('malformed' in question) return
    questions.push(question)
    const options = new Map([
      [optionCode.messageType, Uint8Array.of(2)],
      [optionCode.serverId, Uint8Array.of(192, 0, 2, 7)],
      [optionCode.vendorClass, bytesOf('PXEClient')],
    ])
    const offer = { ...question, op: 'reply' as const, options, ...reply(question) }
    socket.send(encodePacket(offer), client, broadcast)
    socket.send('junk', client, broadcast)
  })
  return { port, questions }
}

const find = (dhcp: number, client: number) =>
  new ProxyProbe({ clientPort: client, broadcast, waitMs }).find([here], dhcp)

test('another treeboot shows itself whatever its policy is, and counts no machine', async () => {
  const client = await clientPort()
  const { port, asked, events } = await startServer(client)
  expect(await find(port, client)).toEqual([{ address: '127.0.0.1', interface: 'lo', bootFile: '' }])
  expect([asked, events]).toEqual([[], []])
})

test('a proxy is named with its boot file, in whatever field that is', async () => {
  const client = await clientPort()
  const inField = await answering(client, () => ({ file: 'pxelinux.0' }))
  expect(await find(inField.port, client)).toEqual([
    { address: '192.0.2.7', interface: 'lo', bootFile: 'pxelinux.0' },
  ])
  // BIOS and UEFI are asked for, each twice, by one machine that does not exist.
  expect(inField.questions.map(({ options }) => options.get(optionCode.clientArch)?.[1]).sort()).toEqual([
    0, 0, 7, 7,
  ])
  expect(new Set(inField.questions.map(({ chaddr }) => Buffer.from(chaddr).toString('hex'))).size).toBe(1)
  expect(inField.questions[0]?.chaddr[0]).toBe(2)

  const inOption = await answering(client, ({ options }) => ({
    siaddr: '192.0.2.8',
    options: new Map([
      [optionCode.messageType, Uint8Array.of(2)],
      [optionCode.vendorClass, bytesOf('PXEClient')],
      [optionCode.bootFile, bytesOf(`boot-${options.get(optionCode.clientArch)?.[1]}`)],
    ]),
  }))
  expect(await find(inOption.port, client)).toMatchObject([{ address: '192.0.2.8' }])
})

test.each<[string, (question: DhcpPacket) => Partial<DhcpPacket>]>([
  ['an offer of a DHCP server, with an address', () => ({ yiaddr: '192.0.2.100', file: 'pxelinux.0' })],
  ['an offer for another machine', ({ xid }) => ({ xid: (xid + 1) >>> 0 })],
  ['an offer without the class PXEClient', () => ({ options: new Map([[53, Uint8Array.of(2)]]) })],
  ['a message that is no offer', () => ({ options: new Map([[60, bytesOf('PXEClient')]]) })],
  ['a request', () => ({ op: 'request' })],
  [
    'our own offer',
    () => ({
      options: new Map([
        [53, Uint8Array.of(2)],
        [54, Uint8Array.of(127, 0, 0, 2)],
        [60, bytesOf('PXEClient')],
      ]),
    }),
  ],
])('no proxy: %s', async (_, reply) => {
  const client = await clientPort()
  const { port, questions } = await answering(client, reply)
  expect(await find(port, client)).toEqual([])
  expect(questions.length).toBeGreaterThan(0)
})

test('the service says once that there is another one, and as long as it is there', async () => {
  const client = await clientPort()
  let isThere = true
  const rival = await answering(client, () => (isThere ? { file: 'pxelinux.0' } : { op: 'request' }))
  // Its broadcasts go where the other one listens: one machine cannot have both on one port.
  const { service, events } = await startServer(client, {
    probe: { everyMs: 150, waitMs: 20, serverPort: rival.port },
  })
  await eventually(() => expect(service.problems).toHaveLength(1))
  await eventually(() => expect(rival.questions.length).toBeGreaterThan(8))
  expect(service.problems).toMatchObject([
    { severity: 'warning', where: 'dhcp on lo', message: expect.stringMatching(/192\.0\.2\.7.*pxelinux\.0/) },
  ])
  expect(events.filter(({ type }) => type === 'trouble')).toHaveLength(1)
  isThere = false
  await eventually(() => expect(service.problems).toEqual([]))
})

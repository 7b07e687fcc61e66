import { describe, expect, test } from 'vitest'
import type { NetworkOffer } from '../../../server/core/loader/network-offer.ts'
import { servedInterfaces } from '../../../server/protocols/dhcp/interfaces.ts'
import { ReplyRate } from '../../../server/protocols/dhcp/limits.ts'
import { encodeMessageType } from '../../../server/protocols/dhcp/options/message.ts'
import { encodePacket } from '../../../server/protocols/dhcp/packet.ts'
import { destinationOf, replyPacket, replyRoom, replyType } from '../../../server/protocols/dhcp/reply.ts'
import { clients, type PretendClient, request } from '../../support/dhcp.ts'

const mac = '52:54:00:aa:bb:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
const server = '192.0.2.1'
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('latin1')
const hex = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('hex')
const pxe: NetworkOffer = { firmware: 'uefi-x64', style: 'pxe', bootFile: 'snponly.efi' }

describe('the type of a reply', () => {
  test('a DISCOVER on 67 gets an offer, a REQUEST or INFORM on 4011 an ACK, and no other packet a reply', () => {
    const table = [
      ['discover', 'dhcp', 'offer'],
      ['discover', 'boot-server', undefined],
      ['request', 'dhcp', undefined],
      ['request', 'boot-server', 'ack'],
      ['inform', 'dhcp', undefined],
      ['inform', 'boot-server', 'ack'],
      ['offer', 'dhcp', undefined],
      ['release', 'dhcp', undefined],
    ] as const
    for (const [type, serverPort, answer] of table)
      expect(replyType(request(type, { mac }), serverPort)).toBe(answer)
  })

  test('neither a reply nor a packet without a message type gets a reply', () => {
    expect(replyType(request('discover', { mac }, { op: 'reply' }), 'dhcp')).toBeUndefined()
    // The message type is all that it takes.
    const options = new Map<number, Uint8Array>([[53, encodeMessageType('discover')]])
    expect(replyType({ ...request('discover', { mac }), options }, 'dhcp')).toBe('offer')
    expect(replyType({ ...request('discover', { mac }), options: new Map() }, 'dhcp')).toBeUndefined()
  })
})

describe('an offer', () => {
  const from = (client: Partial<PretendClient>, offer: NetworkOffer = pxe) =>
    replyPacket(
      request(
        'discover',
        { mac, uuid, ...client },
        { flags: 0x8000, options: new Map([[82, Buffer.from('relay')]]) },
      ),
      'offer',
      offer,
      server,
    )

  test('an offer has its boot data in every place where some client looks for it', () => {
    const reply = from(clients.uefi)
    expect(reply).toMatchObject({
      op: 'reply',
      siaddr: server,
      sname: server,
      file: 'snponly.efi',
      yiaddr: '0.0.0.0',
      flags: 0x8000,
      xid: 0x1234_5678,
    })
    expect(hex(reply.options.get(53))).toBe('02')
    expect(hex(reply.options.get(54))).toBe('c0000201')
    expect(text(reply.options.get(60))).toBe('PXEClient')
    expect(text(reply.options.get(66))).toBe(server)
    expect(text(reply.options.get(67))).toBe('snponly.efi')
    expect(hex(reply.options.get(43))).toBe('060108ff') // discovery control (6) is 8: use this offer
    expect(hex(reply.options.get(93))).toBe('0007')
    expect(hex(reply.options.get(97))).toBe('0044454c4c420010358052b4c04f4a3732')
  })

  test('a relay has to broadcast it, since it gives no address to send to (RFC 1542, 4.1.2)', () => {
    const flagsOf = (fields: { flags: number; giaddr: string }) =>
      replyPacket(request('discover', { mac, ...clients.uefi }, fields), 'offer', pxe, server).flags
    expect(flagsOf({ flags: 0, giaddr: '198.51.100.1' })).toBe(0x8000)
    expect(flagsOf({ flags: 0x8000, giaddr: '198.51.100.1' })).toBe(0x8000)
    expect(flagsOf({ flags: 0, giaddr: '0.0.0.0' })).toBe(0)
  })

  test('the option of a relay goes back to it, last of all (RFC 3046, 2.2)', () => {
    const codes = [...from(clients.uefi).options.keys()]
    expect(codes.at(-1)).toBe(82)
  })

  test('an offer fits into the 548 octets that every client takes', () => {
    expect(encodePacket(from(clients.uefi)).length).toBeLessThanOrEqual(548)
  })

  test('an offer for HTTP Boot has its own class, a URL and no PXE options', () => {
    const url = `http://192.0.2.1:8080/${'x'.repeat(120)}.efi`
    const reply = from(clients.uefiHttp, { firmware: 'uefi-http-x64', style: 'http', bootFile: url })
    expect(text(reply.options.get(60))).toBe('HTTPClient')
    expect(reply.options.has(43)).toBe(false)
    expect(reply.file).toBe('') // too long for it; option 67 has it
    expect(text(reply.options.get(67))).toBe(url)
  })

  test('an offer of PXELINUX says when it restarts the machine (RFC 5071, 6), and no other does', () => {
    const reply = from({}, { firmware: 'bios', style: 'pxe', bootFile: 'pxelinux.0', restartSeconds: 60 })
    expect(hex(reply.options.get(211))).toBe('0000003c')
    const octets = Buffer.from(encodePacket(reply)).toString('hex')
    expect(octets).toContain('d3040000003c')
    expect(octets.length / 2).toBeLessThanOrEqual(548)
    expect(from({}).options.has(211)).toBe(false)
  })

  test('an offer for a Raspberry Pi has the words that its ROM looks for', () => {
    const reply = from({ archs: [0] }, { firmware: 'raspberry-pi', style: 'raspberry-pi', bootFile: '' })
    expect(text(reply.options.get(43))).toContain('Raspberry Pi Boot')
    expect(reply.options.has(67)).toBe(false)
  })

  test('an ACK has the client’s address and names the boot item of the request', () => {
    const item = Buffer.from([71, 4, 0, 0, 0, 0, 255])
    const reply = replyPacket(
      request('request', { mac, ...clients.uefi }, { ciaddr: '192.0.2.7', options: new Map([[43, item]]) }),
      'ack',
      pxe,
      server,
    )
    expect(reply.ciaddr).toBe('192.0.2.7')
    expect(hex(reply.options.get(53))).toBe('05')
    expect(hex(reply.options.get(43))).toBe('060108470400000000ff') // 47 is boot item, 71
  })
})

describe('the destination of a reply', () => {
  const to = (serverPort: 'dhcp' | 'boot-server', address: string, port: number, giaddr = '0.0.0.0') =>
    destinationOf(
      { packet: request('discover', { mac }, { giaddr }), serverPort, from: { address, port } },
      { broadcast: { address: '255.255.255.255', port: 68 }, relayPort: 67 },
    )

  test('a client without an address gets a broadcast, a relay port 67, and a client at 4011 the port it asked from', () => {
    expect(to('dhcp', '0.0.0.0', 68)).toEqual({ address: '255.255.255.255', port: 68 })
    expect(to('dhcp', '10.0.0.1', 67, '10.0.0.1')).toEqual({ address: '10.0.0.1', port: 67 })
    expect(to('boot-server', '192.0.2.7', 68)).toEqual({ address: '192.0.2.7', port: 68 })
    expect(to('boot-server', '192.0.2.7', 4011)).toEqual({ address: '192.0.2.7', port: 4011 })
    expect(to('boot-server', '0.0.0.0', 68)).toEqual({ address: '255.255.255.255', port: 68 })
  })

  test('a reply is as long as the client allows, and no longer than a frame', () => {
    const says = (size: number) =>
      replyRoom(
        request('discover', { mac }, { options: new Map([[57, Uint8Array.of(size >> 8, size & 0xff)]]) }),
      )
    const headers = 28 // of IP and UDP: option 57 counts them too
    expect(replyRoom(request('discover', { mac }))).toBe(548)
    expect(says(1472)).toBe(1472 - headers)
    expect(says(65_535)).toBe(1472)
    expect(says(576)).toBe(576 - headers)
  })
})

describe('the interfaces to reply on', () => {
  const info = (address: string, more: { internal?: boolean; family?: 'IPv6' } = {}) =>
    ({ address, internal: false, family: 'IPv4', netmask: '', mac: '', cidr: null, ...more }) as never
  const interfaces = {
    lo: [info('127.0.0.1', { internal: true })],
    eth0: [info('fe80::1', { family: 'IPv6' }), info('192.0.2.1'), info('192.0.2.99')],
    br0: [info('198.51.100.1')],
    tun0: [info('fe80::2', { family: 'IPv6' })],
  }
  const addresses = (wishes: { interfaces?: readonly string[]; bind?: string }) =>
    servedInterfaces({ interfaces: [], bind: '0.0.0.0', ...wishes }, interfaces).map(({ address }) => address)

  test('each interface is served once, loopback only when it is named; `bind` leaves one address', () => {
    expect(addresses({})).toEqual(['192.0.2.1', '198.51.100.1'])
    expect(addresses({ interfaces: ['br0', 'tun0'] })).toEqual(['198.51.100.1'])
    expect(addresses({ interfaces: ['lo'] })).toEqual(['127.0.0.1'])
    expect(addresses({ bind: '192.0.2.99' })).toEqual(['192.0.2.99'])
    expect(addresses({ bind: 'localhost' })).toEqual(['127.0.0.1'])
    expect(addresses({ bind: '203.0.113.1' })).toEqual([])
  })
})

describe('the limits of replies', () => {
  test('one machine gets so many replies in ten seconds, and all machines so many in a second', () => {
    const rate = new ReplyRate({ perClient: 2, perSecond: 3 })
    expect([rate.admit('a', 0), rate.admit('a', 1), rate.admit('a', 2)]).toEqual([true, true, false])
    expect([rate.admit('b', 3), rate.admit('c', 4)]).toEqual([true, false])
    expect(rate.admit('c', 1000)).toBe(true)
    expect(rate.admit('a', 9999)).toBe(false)
    expect(rate.admit('a', 10_000)).toBe(true)
  })
})

import { describe, expect, test } from 'vitest'
import {
  type ClientFacts,
  classifyFirmware,
  type Firmware,
  loadsByHttp,
  uefiCpu,
  unservedClient,
} from '../../../server/core/boot/firmware.ts'
import { whyUnserved } from '../../../server/core/boot/unserved-archs.ts'
import { clientFacts } from '../../../server/protocols/dhcp/request.ts'
import { clients, type PretendClient, request } from '../../support/dhcp.ts'

const facts = (more: Partial<ClientFacts>): ClientFacts => ({ archs: [], userClasses: [], ...more })
const firmwareOf = (client: Partial<PretendClient>): Firmware | undefined =>
  classifyFirmware(clientFacts(request('discover', { mac: '52:54:00:aa:bb:01', ...client })))?.firmware

describe('the firmware of real requests', () => {
  const seen: Record<keyof typeof clients, Firmware | undefined> = {
    ipxeBios: 'ipxe-bios',
    bios: 'bios',
    uefi: 'uefi-x64',
    uefiHttp: 'uefi-http-x64',
    ipxeUefi: 'ipxe-uefi',
    arm64: 'uefi-arm64',
    arm64Http: 'uefi-http-arm64',
    dhclient: undefined,
  }
  for (const [name, firmware] of Object.entries(seen))
    test(`${name}: ${firmware}`, () =>
      expect(firmwareOf(clients[name as keyof typeof clients])).toBe(firmware))
})

describe('option 93', () => {
  const table: readonly (readonly [number, Firmware | undefined])[] = [
    [0, 'bios'],
    [1, undefined], // NEC PC-98
    [2, undefined], // Itanium
    [6, 'uefi-ia32'],
    [7, 'uefi-x64'],
    [9, 'uefi-x64'],
    [10, 'uefi-arm32'],
    [11, 'uefi-arm64'],
    [21, 'u-boot'],
    [22, 'u-boot'],
    [27, 'uefi-riscv64'],
    [39, 'uefi-loongarch64'],
    [41, 'raspberry-pi'],
    [999, undefined],
  ]
  test.each(table)('%i by PXE is %s', (arch, firmware) => {
    expect(firmwareOf({ archs: [arch], vendorClass: 'PXEClient' })).toBe(firmware)
  })

  test.each([
    [15, 'uefi-http-ia32'],
    [16, 'uefi-http-x64'],
    [17, 'uefi-http-x64'],
    [18, 'uefi-http-arm32'],
    [19, 'uefi-http-arm64'],
    [28, 'uefi-http-riscv64'],
    [40, 'uefi-http-loongarch64'],
    [7, 'uefi-http-x64'],
    [0, undefined],
  ] as const)('%i by HTTP is %s', (arch, firmware) => {
    expect(firmwareOf({ archs: [arch], vendorClass: 'HTTPClient' })).toBe(firmware)
  })

  test('of several values the first known one counts', () => {
    expect(firmwareOf({ archs: [2, 7], vendorClass: 'PXEClient' })).toBe('uefi-x64')
  })

  test('without it the vendor class has the architecture', () => {
    expect(firmwareOf({ vendorClass: 'PXEClient:Arch:00011:UNDI:003000' })).toBe('uefi-arm64')
    expect(firmwareOf({ vendorClass: 'PXEClient' })).toBeUndefined()
  })
})

describe('clients that look like something else', () => {
  test('a request that is not for network boot has no firmware', () => {
    expect(firmwareOf({ archs: [7] })).toBeUndefined()
    expect(firmwareOf({ archs: [7], vendorClass: 'MSFT 5.0', userClass: 'iPXE' })).toBeUndefined()
  })

  test('iPXE is known by its user class in both spellings and by option 175; gPXE is not iPXE', () => {
    const etherboot = new Set(['http'])
    const vendorClass = 'PXEClient'
    // RFC 3004 wants the length before each class; iPXE sends the bare word, as in the last line.
    expect(firmwareOf({ archs: [7], vendorClass, userClass: ['iPXE'] })).toBe('ipxe-uefi')
    expect(classifyFirmware(facts({ vendorClass, archs: [7], etherboot }))?.firmware).toBe('ipxe-uefi')
    expect(
      classifyFirmware(facts({ vendorClass, archs: [0], etherboot, userClasses: ['gPXE'] }))?.firmware,
    ).toBe('bios')
    // The request of iPXE to port 4011 has neither option 93 nor an Arch in its vendor class.
    expect(firmwareOf({ vendorClass, userClass: 'iPXE' })).toBe('ipxe-uefi')
  })

  test('a Raspberry Pi, which claims to be a BIOS, is known by its MAC address', () => {
    const client = { archs: [0], vendorClass: 'PXEClient:Arch:00000:UNDI:002001' }
    expect(firmwareOf({ ...client, mac: 'dc:a6:32:01:02:03' })).toBe('raspberry-pi')
    // A Raspberry Pi with UEFI says what it is.
    expect(firmwareOf({ ...client, archs: [11], mac: 'dc:a6:32:01:02:03' })).toBe('uefi-arm64')
  })

  test('U-Boot is known by its vendor class', () => {
    expect(firmwareOf({ vendorClass: 'U-Boot.armv8' })).toBe('u-boot')
  })
})

test('each UEFI firmware has its CPU and its way to load', () => {
  expect(uefiCpu('uefi-http-arm64')).toBe('arm64')
  expect(uefiCpu('uefi-x64')).toBe('x64')
  expect(uefiCpu('bios')).toBeUndefined()
  expect(loadsByHttp('uefi-http-x64')).toBe(true)
  expect(loadsByHttp('uefi-x64')).toBe(false)
})

test('each number of the registry has firmware, or a name in the words why it has none', () => {
  // IANA, "Processor Architecture Types": 0 to 41 are assigned.
  const nameless = Array.from({ length: 42 }, (_, arch) => arch).filter((arch) => {
    const client = facts({ vendorClass: 'PXEClient', archs: [arch] })
    return !classifyFirmware(client) && !/\(.+\)$/.test(unservedClient(client)?.why ?? '')
  })
  expect(nameless).toEqual([])
})

describe('the words why a machine gets no loader', () => {
  const wordsOf = (more: Partial<ClientFacts>) => unservedClient(facts({ vendorClass: 'PXEClient', ...more }))
  test.each([
    [[37], 'there is no loader for option 93 37 (UEFI on LoongArch, 32 bits)'],
    [[2, 999], 'there is no loader for option 93 2 (UEFI on Itanium), 999'],
  ])('%j', (archs, why) => {
    const unserved = wordsOf({ archs })
    expect(unserved?.why).toBe(why)
    // The same from what the store keeps.
    expect(whyUnserved(unserved?.shown ?? '')).toBe(why)
  })

  test('without a number', () => {
    expect(wordsOf({})).toEqual({ why: 'it does not say what it is: no option 93' })
    expect(unservedClient(facts({ archs: [2] }))).toBeUndefined()
    expect(whyUnserved('uefi-x64')).toBeUndefined()
  })
})

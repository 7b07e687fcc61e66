import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { classifyFirmware } from '../../../server/core/boot/firmware.ts'
import {
  cpuOf,
  dhcpIdentityOf,
  firmwareOf,
  isTestFirmware,
  testFirmwareShown,
  testFirmwares,
  testFirmwareText,
} from '../../../server/core/boot/test-firmware.ts'
import { clients } from '../../support/dhcp.ts'

describe('the firmware that a boot can be tried with', () => {
  test('is what docs/network-boot.md lists', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/network-boot.md'), 'utf8')
    const [, after = ''] = page.split('## Trying a boot')
    const [section = ''] = after.split('\n## ')
    const rows = [...section.matchAll(/^\| `([\w-]+)` +\| ([^|]+?) +\|/gm)].map(([, name, what]) => [
      name,
      what,
    ])
    const said = (what: string) => what.split(',')[0]
    expect(rows.map(([name]) => name)).toEqual(testFirmwares)
    for (const [name = '', what = ''] of rows)
      if (isTestFirmware(name)) expect(what).toContain(said(testFirmwareText(name)))
  })

  test.each(testFirmwares.filter((name) => name !== 'direct'))(
    '%s is recognised by what it sends',
    (name) => {
      for (const arch of ['x86_64', 'aarch64']) {
        const cpu = cpuOf(name, arch)
        const firmware = firmwareOf(name, cpu)
        const sent = firmware && dhcpIdentityOf(firmware, cpu)
        const { arch: number = -1, vendorClass = '', userClass } = sent ?? {}
        const facts = {
          archs: [number],
          vendorClass,
          userClasses: userClass === undefined ? [] : [userClass],
        }
        expect(classifyFirmware(facts)?.firmware).toBe(firmware)
        expect(testFirmwareShown(firmware ?? '')).toBe(name)
      }
    },
  )

  test('sends what the real ones were seen to send', () => {
    const sent = (firmware: Parameters<typeof dhcpIdentityOf>[0], cpu: 'x64' | 'arm64' = 'x64') => {
      const { arch, ...rest } = dhcpIdentityOf(firmware, cpu) ?? { arch: -1 }
      return { archs: [arch], ...rest }
    }
    expect(sent('bios')).toEqual(clients.bios)
    expect(sent('ipxe-bios')).toEqual(clients.ipxeBios)
    expect(sent('uefi-x64')).toEqual(clients.uefi)
    expect(sent('uefi-http-x64')).toEqual(clients.uefiHttp)
    expect(sent('ipxe-uefi')).toEqual(clients.ipxeUefi)
    expect(sent('uefi-arm64', 'arm64')).toEqual(clients.arm64)
    expect(sent('uefi-http-arm64', 'arm64')).toEqual(clients.arm64Http)
  })
})

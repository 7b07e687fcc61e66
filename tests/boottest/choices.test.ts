import { describe, expect, test } from 'vitest'
import { firmwareToTest, testMachine, untestedOf, whyNotHere } from '../../server/boottest/machines.ts'
import { timeoutOf } from '../../server/boottest/reference-boot.ts'
import { whyTooLittle } from '../../server/boottest/run-test.ts'
import type { Boot } from '../../server/core/boots/boot.ts'
import { whyTooBusy } from '../../server/timeline/installing.ts'

describe('the firmware that is tested', () => {
  test('is what machines of the tree’s architecture have of what is wanted', () => {
    expect(firmwareToTest(['bios', 'uefi-x64', 'secure-boot'], 'x86_64')).toEqual([
      'bios',
      'uefi-x64',
      'secure-boot',
    ])
    expect(firmwareToTest(['bios', 'uefi-x64', 'secure-boot'], 'i386')).toEqual(['bios'])
    expect(firmwareToTest(['bios', 'uefi-arm64'], 'aarch64')).toEqual(['uefi-arm64'])
  })

  test('is the architecture’s own where nothing of it is wanted: a test is never left out without a word', () => {
    expect(firmwareToTest(['bios'], 'aarch64')).toEqual(['uefi-arm64'])
    expect(firmwareToTest(['bios'], 'ppc64le')).toEqual(['direct'])
    expect(firmwareToTest(['secure-boot'], 'i386')).toEqual(['bios'])
  })

  test('what cannot be emulated says so', () => {
    expect(testMachine('uefi-http', 'x86_64', 'no dnsmasq')).toMatch(/HTTP Boot.*: no dnsmasq$/)
    expect(testMachine('uefi-http', 'aarch64')).toMatch(/test uefi-arm64/)
    const direct = testMachine('direct', 'mips64el')
    expect(typeof direct === 'string' ? direct : whyNotHere(direct, 'mips64el')).toMatch(
      /no machine of mips64el/,
    )
  })

  test.each(['bios', 'uefi-x64', 'secure-boot'] as const)(
    '%s is on a network where there is one',
    (firmware) => {
      expect(testMachine(firmware, 'x86_64')).toMatchObject({ by: 'lan' })
      const alone = testMachine(firmware, 'x86_64', 'nobody is root')
      if (typeof alone === 'string') expect.unreachable(alone)
      expect(alone.by).toBe(firmware === 'secure-boot' ? 'tftp' : 'ipxe')
      expect(untestedOf(alone, 'nobody is root')).toBe('DHCP and TFTP: nobody is root')
    },
  )

  test.each(['ppc64le', 's390x', 'riscv64'])('%s is tested by its kernel alone, and says so', (arch) => {
    const machine = testMachine('direct', arch)
    if (typeof machine === 'string') expect.unreachable(machine)
    expect(machine).toEqual({ firmware: arch, by: 'qemu' })
    expect(untestedOf(machine)).toMatch(/^firmware, loader, DHCP and TFTP/)
    // On a host without its QEMU the result names the package.
    expect(whyNotHere(machine, arch) ?? 'install qemu').toMatch(/install (?:qemu|opensbi)/)
  })
})

test('a machine is not started where memory is short', () => {
  expect(whyTooLittle(2048, 4000)).toBeUndefined()
  expect(whyTooLittle(2048, 2559)).toMatch(/needs 2048 MiB, and 2559 MiB/)
})

test('a machine has 20 times the reference boot, and ten minutes under TCG at least', () => {
  expect(timeoutOf({ accel: 'tcg', ms: 5_000 })).toBe(600_000)
  expect(timeoutOf({ accel: 'tcg', ms: 60_000 })).toBe(1_200_000)
  expect(timeoutOf({ accel: 'kvm', ms: 15_000 })).toBe(300_000)
})

test('with fewer than four cores no machine is emulated while others are being installed', async () => {
  const boots = (...purposes: Boot['purpose'][]) =>
    purposes.map((purpose) => ({ state: 'running', purpose })) as unknown as readonly Boot[]
  expect(await whyTooBusy(async () => boots('install', 'menu'), 2)).toMatch(/a machine is being installed/)
  expect(await whyTooBusy(async () => boots('install'), 4)).toBeUndefined()
  expect(await whyTooBusy(async () => boots('menu', 'local-disk'), 2)).toBeUndefined()
})

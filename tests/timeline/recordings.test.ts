import { describe, expect, test } from 'vitest'
import { stepOf } from '../../server/core/boots/boot.ts'
import { kindsOf, recordingNames, recordingOf, replay, theBoot } from '../support/boots.ts'

/** Recorded boots of real machines (tests/interop/boot-timelines.test.ts), and the timelines that they make. */

const fromKernel = ['kernel', 'initrd', 'stage2', 'answer-file', 'packages', 'report', 'end']

test.each([
  ['proxy-bios-ipxe', ['dhcp-asked', 'dhcp-offered', 'configuration', ...fromKernel]],
  ['uefi-shim-grub', ['loader', 'configuration', ...fromKernel]],
  [
    'uefi-boot-server',
    ['dhcp-asked', 'dhcp-offered', 'dhcp-confirmed', 'loader', 'configuration', ...fromKernel],
  ],
  ['direct', ['stage2', 'answer-file', 'packages', 'report', 'end']],
])('%s: one boot, done, with these steps', (name, kinds) => {
  const boot = theBoot(recordingOf(name))
  expect(kindsOf(boot)).toEqual(kinds)
  expect(boot).toMatchObject({ state: 'done', guest: 'web01' })
  expect(boot.reason).toBeUndefined()
})

test('what a machine was told at port 4011 is a step of its own', () => {
  const confirmed = stepOf(theBoot(recordingOf('uefi-boot-server')), 'dhcp-confirmed')
  expect(confirmed).toMatchObject({ count: 1, status: 'done', what: 'snponly.efi' })
})

test('packages are one step, counted', () => {
  const packages = stepOf(theBoot(recordingOf('proxy-bios-ipxe')), 'packages')
  expect(packages).toMatchObject({ count: 3, bytes: 900_000, status: 'done' })
})

test('the first boot from disk belongs to the installation, and is a boot of its own', () => {
  const [installation, disk] = replay(recordingOf('bios-pxelinux'))
  expect(installation && kindsOf(installation).at(-1)).toBe('disk')
  expect(installation?.endMs).toBeDefined()
  expect(disk).toMatchObject({ state: 'done', purpose: 'local-disk', guest: 'web01' })
})

describe('in every recording', () => {
  test.each(recordingNames())('%s: steps have times in order, and nothing usual is a failure', (name) => {
    for (const boot of replay(recordingOf(name))) {
      for (const { startMs, endMs, bytes, rate } of boot.steps) {
        expect(endMs).toBeGreaterThanOrEqual(startMs)
        expect(Math.min(bytes, rate)).toBeGreaterThanOrEqual(0)
      }
      const bad = boot.steps.filter(({ status }) => status !== 'done').map(({ kind }) => kind)
      expect(bad).toEqual(name === 'stage2-missing' ? ['stage2'] : [])
    }
  })
})

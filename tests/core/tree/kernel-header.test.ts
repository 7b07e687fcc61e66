import { describe, expect, test } from 'vitest'
import { canonicalArch } from '../../../server/core/tree/arch.ts'
import { kernelArchs, kernelParts } from '../../../server/core/tree/kernel-header.ts'
import { kernelHeads, kernelOf } from '../../support/kernel-heads.ts'

const heads = [...kernelHeads().values()]
const archsOf = (fields: string) => {
  const bytes = kernelOf(fields)
  return kernelArchs(bytes.subarray(0, kernelParts.head.bytes), bytes.subarray(kernelParts.s390.offset))
}
const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex')

describe('the header of a real kernel tells its architecture', () => {
  test.each(heads)('$arch: $origin', ({ arch, head, s390 }) => {
    const archs = kernelArchs(head, s390)
    expect(archs).toContain(canonicalArch(arch))
    // The header of 32-bit ARM is the same for all processors.
    expect(archs.length).toBe(arch.startsWith('arm') && arch !== 'arm64' ? 2 : 1)
  })

  test.each(heads)('$arch: no shorter part of it tells another one', ({ head, s390 }) => {
    const whole = kernelArchs(head, s390)
    for (const length of [0, 1, 4, 19, 20, 0x27, 0x3b, 0x45, 0x205, 0x237, 0x238]) {
      const archs = kernelArchs(head.subarray(0, length))
      expect([[], whole]).toContainEqual(archs)
    }
  })
})

describe('a bzImage', () => {
  const old = '1fe:55aa 202:486472530a02'
  const release = (text: string) => `${old} 20e:0030 3200:${hex(`${text} (buildd@lcy02-amd64-016) #1`)}`

  test.each([
    ['with a 64-bit entry, since protocol 2.12', '202:486472530c02 236:0100', ['x86_64']],
    ['without one', '202:486472530c02 236:0600', ['i386']],
    ['with a UEFI header, before', `0:4d5a 3c:40000000 40:504500006486 202:486472530b02`, ['x86_64']],
    ['built as amd64', release('2.6.32-5-amd64'), ['x86_64']],
    ['built as el6.x86_64', release('2.6.32-431.el6.x86_64'), ['x86_64']],
    ['built as i686', release('3.2.0-1.fc16.i686'), ['i386']],
    ['built as 686-pae', release('3.2.0-4-686-pae'), ['i386']],
    ['built as 486', release('2.6.32-5-486'), ['i386']],
    ['of which only the build host is known', release('3.2.0-23-generic'), ['x86_64', 'i386']],
    ['built as something odd', release('3.2.0-arm64'), ['x86_64', 'i386']],
    ['whose release is outside of what was read', `${old} 20e:ffff`, ['x86_64', 'i386']],
  ])('%s', (_title, fields, archs) => {
    expect(archsOf(fields)).toEqual(archs)
  })
})

describe('kernels that no Debian package here has', () => {
  test.each([
    ['zboot of arm64', '0:4d5a00007a696d67 38:cd238281 3c:40000000 40:5045000064aa', ['aarch64']],
    ['zboot of RISC-V', '0:4d5a00007a696d67 38:cd238281 3c:40000000 40:504500006450', ['riscv64']],
    ['Image of LoongArch', '0:4d5a 38:cd238281 3c:40000000 40:504500006462', ['loongarch64']],
    ['a unified kernel image', '0:4d5a 3c:78000000 78:504500006486', ['x86_64']],
    ['Image of 32-bit RISC-V', '8:00004000 30:5249534356', ['riscv32']],
    ['big-endian POWER', `0:7f454c460202 12:0015`, ['ppc64']],
    ['32-bit POWER', `0:7f454c460102 12:0014`, ['ppc']],
    ['vmlinux of s390x', `0:7f454c460202 12:0016`, ['s390x']],
    ['vmlinux of LoongArch', `0:7f454c460201 12:0201`, ['loongarch64']],
    ['vmlinux of little-endian MIPS', `0:7f454c460201 12:0800`, ['mips64el']],
    ['vmlinux of x86_64', `0:7f454c460201 12:3e00`, ['x86_64']],
    ['zImage of big-endian ARM', `24:016f2818`, ['armhfp', 'armel']],
  ])('%s', (_title, fields, archs) => {
    expect(archsOf(fields)).toEqual(archs)
  })
})

test.each([
  ['nothing', ''],
  ['a PE program whose header is elsewhere', '0:4d5a 3c:ffffffff'],
  ['a PE program for an unknown machine', '0:4d5a 3c:40000000 40:50450000bc0e'],
  ['an ELF file for an unknown machine', '0:7f454c460201 12:ffff'],
  ['an ELF file of 32 bits for a 64-bit machine', '0:7f454c460101 12:1500'],
  ['a DOS program', '0:4d5a90000300'],
  ['the mark of s390 in another place', '10000:533339304550'],
  ['a text', `0:${hex('#!/bin/sh\necho HdrS\n')}`],
])('%s is no kernel that we know', (_title, fields) => {
  expect(archsOf(fields)).toEqual([])
})

import { describe, expect, test } from 'vitest'
import {
  readSuseContent,
  readSuseMedia,
  readSuseProducts,
} from '../../../../server/core/tree/descriptors/suse.ts'
import { linesOf, namesOf } from '../../../support/described.ts'
import { stating } from '../../../support/stating.ts'

describe('content of SUSE', () => {
  const read = (...lines: string[]) => readSuseContent('content', lines.join('\n'))
  const bases = ['VENDOR openSUSE', 'DATADIR suse']

  test.each([
    // three generations
    [
      ['PRODUCT SLES', 'LABEL SUSE Linux Enterprise Server 11 SP4', 'DEFAULTBASE i586'],
      'SUSE Linux Enterprise Server / 11 SP4 / - / i586',
    ],
    [['NAME openSUSE', 'VERSION 12.1', 'BASEARCHS i586 x86_64'], 'openSUSE / 12.1 / - / x86_64'],
    [['NAME openSUSE', 'VERSION 12.1', 'BASEARCHS i586 i686'], 'openSUSE / 12.1 / - / i586'],
    [
      ['DISTRO cpe:/o:opensuse:opensuse:13.2,openSUSE', 'REPOID a/ftp/i586-x86_64'],
      'openSUSE / 13.2 / - / x86_64',
    ],
    [['DISTRO cpe:/o:suse:sles:12:sp5,SLES', 'REPOID a/b/s390x'], 'SLES / 12 sp5 / - / s390x'],
    [['LABEL The openSUSE Distribution', 'DISTVERSION 10.3-0', 'FLAVOR ftp'], 'openSUSE / 10.3 / ftp / -'],
    [['SUMMARY openSUSE 12.3', 'DISTPRODUCT x'], 'openSUSE / 12.3 / - / -'],
    [['DISTPRODUCT openSUSE', 'DISTVERSION 11.4'], 'openSUSE / 11.4 / - / -'],
    [['DISTRO cpe:/o:opensuse:opensuse:13.2', 'NAME openSUSE'], 'openSUSE / 13.2 / - / -'],
    [['NAME openSUSE', 'DISTVERSION 10-03'], 'openSUSE / 10-03 / - / -'],
    [['LABEL Into The Wild 1', 'BASEARCHS i586'], 'Into The Wild / 1 / - / i586'],
    [['LABEL A Distribution of X 1', 'BASEARCHS  i586'], 'A Distribution of X / 1 / - / i586'],
    // Blanks are of no account.
    [['  LABEL \t openSUSE 11.4  ', '   ', 'FLAVOR   ftp '], 'openSUSE / 11.4 / ftp / -'],
    // The first value of a key counts.
    [['LABEL openSUSE 11.4', 'LABEL other 1'], 'openSUSE / 11.4 / - / -'],
  ])('%j', (lines, names) => {
    expect(namesOf(read(...bases, ...lines))).toBe(names)
    expect(read(...bases, ...lines)?.problems).toEqual([])
  })

  test('HASH, META and KEY lines are digests; boot files among them are images', () => {
    const sha1 = 'a'.repeat(40)
    const found = read(
      ...bases,
      'LABEL openSUSE 12.3',
      'BASEARCHS x86_64',
      `META SHA1 ${sha1}  packages.gz`,
      'DESCRDIR other/descr',
      `META SHA1 ${sha1}  patterns.gz`,
      `KEY SHA1 ${sha1}  gpg-pubkey-1.asc`,
      `HASH  SHA1   ${sha1}  boot/x86_64/loader/linux`,
      `HASH SHA1 ${sha1}  boot/x86_64/loader/initrd`,
      '# a comment',
      '',
      'HASH SHA1 abc boot/short',
      'HASH none',
      '!',
      '! LABEL other 1',
      `HASH SHA1 ${sha1}  /`,
    )
    expect(Object.keys(found?.checksums ?? {})).toEqual([
      'suse/setup/descr/packages.gz',
      'other/descr/patterns.gz',
      'gpg-pubkey-1.asc',
      'boot/x86_64/loader/linux',
      'boot/x86_64/loader/initrd',
    ])
    expect(found?.checksums['boot/x86_64/loader/linux']).toEqual({ algorithm: 'sha1', hex: sha1 })
    expect(found?.platforms).toEqual({
      x86_64: { kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd', others: {} },
    })
    expect(linesOf(found)).toEqual([13, 14, 15, 16, 17, 17])
    expect(found?.repositories).toEqual([{ id: '', name: 'openSUSE', kind: 'repository', path: '.' }])
  })

  test('a file called content with one such key is something else', () => {
    expect(read('VENDOR me', 'LABEL x 1')).toBeUndefined()
    expect(read('vendor me', 'datadir x')).toBeUndefined()
    expect(read(...bases)?.problems).toEqual([
      { file: 'content', message: expect.stringMatching(stating('product', 'LABEL')) },
    ])
  })
})

describe('media.1 of SUSE', () => {
  const media = (...lines: string[]) => readSuseMedia('media.1/media', lines.join('\n'))
  const build = 'openSUSE-Leap-15.5-DVD-x86_64-Build491.1-Media'

  test.each([
    [['SUSE - openSUSE', build, '1'], 'openSUSE Leap / 15.5 / - / x86_64'],
    [
      ['SUSE', 'SLE-15-SP4-Full-aarch64-Build1.2-Media1', '3'],
      'SUSE Linux Enterprise / 15 SP4 / - / aarch64',
    ],
    [[' SUSE ', ' SLE-12-SP10-Server-DVD-ppc64le ', ' 1 '], 'SUSE Linux Enterprise / 12 SP10 / - / ppc64le'],
    [['openSUSE', 'openSUSE-Leap-42.15-DVD', '1'], 'openSUSE Leap / 42.15 / - / -'],
    [['SUSE', 'my-openSUSE-13.2-DVD', '1'], 'openSUSE / 13.2 / - / -'],
    [['SUSE', 'SLES-16.0-x86_64', '1'], 'SUSE Linux Enterprise Server / 16.0 / - / x86_64'],
    [['openSUSE', 'openSUSE-Tumbleweed-DVD-i586', '1'], 'openSUSE / Tumbleweed / - / i586'],
    [
      ['SUSE - SLE-15-SP4-Full-x86_64-GM-Media1', 'Build1', ''],
      'SUSE Linux Enterprise / 15 SP4 / - / x86_64',
    ],
  ])('%j', (lines, names) => {
    const found = media(...lines)
    expect(namesOf(found)).toBe(names)
    expect([found?.problems, found?.timestamp]).toEqual([[], undefined])
  })

  test('old files have a date as build, and tell only the vendor', () => {
    const found = media('SUSE Linux Products GmbH', '20070924163012', '1')
    expect(namesOf(found)).toBe('- / - / - / -')
    expect(found?.timestamp).toBe(Date.UTC(2007, 8, 24, 16, 30, 12) / 1000)
    for (const build of ['120070924163012', '200709241630123'])
      expect(media('SUSE', build, '1')?.timestamp, build).toBeUndefined()
    expect(found?.problems).toHaveLength(1)
  })

  test('something else is not read', () => {
    for (const lines of [
      ['Novell', build],
      ['me', build],
      ['SUSE', build, '12'],
      ['SUSE', build, '1', '2', '3'],
    ])
      expect(media(...lines), lines.join('|')).toBeDefined()
    for (const lines of [
      [],
      ['SUSE'],
      ['SUSE', ''],
      ['SUSE', 'two words'],
      ['SUSE', build, '123'],
      ['SUSE', build, 'x'],
      ['SUSE', build, '1', '2', '3', '4'],
      ['Red Hat', 'RHEL-9', '1'],
    ])
      expect(media(...lines), lines.join('|')).toBeUndefined()
  })

  test.each([
    ['/ openSUSE-Leap 15.5-1\n', 'openSUSE Leap / 15.5 / - / -', []],
    ['/ SLES 15.4-0\n/Module-HA HA 15.4-0\n', 'SUSE Linux Enterprise Server / 15.4 / - / -', []],
    ['\n/ SLE_HPC 15.4\n', 'SLE_HPC / 15.4 / - / -', []],
    ['/Server SLE-Desktop 15-0\n', 'SUSE Linux Enterprise Desktop / 15 / - / -', [1]],
    ['  \n  /  openSUSE-Leap \t 15.5-12  \n', 'openSUSE Leap / 15.5 / - / -', []],
    ['/ openSUSE 1-2.3\n', 'openSUSE / 1-2.3 / - / -', []],
    ['/ my-SLES 1\n', 'my SLES / 1 / - / -', []],
    ['/ my-SLE 1\n', 'my SLE / 1 / - / -', []],
    ['x / openSUSE 15.5\n', undefined, undefined],
    ['/ openSUSE 15.5 more\n', undefined, undefined],
    ['/ openSUSE\n', undefined, undefined],
    ['/ a 1\nhello\n', undefined, undefined],
    ['openSUSE 15.5 1\n', undefined, undefined],
    ['', undefined, undefined],
  ])('media.1/products %j', (text, names, lines) => {
    const found = readSuseProducts('media.1/products', text)
    expect(namesOf(found)).toBe(names)
    expect(linesOf(found)).toEqual(lines)
  })
})

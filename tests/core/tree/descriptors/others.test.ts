import { describe, expect, test } from 'vitest'
import { mageia } from '../../../../server/core/distro/mageia.ts'
import { readDiscinfo } from '../../../../server/core/tree/descriptors/discinfo.ts'
import { readDiskInfo, readVersionInfo } from '../../../../server/core/tree/descriptors/disk-info.ts'
import { readManifest } from '../../../../server/core/tree/descriptors/manifest.ts'
import {
  readSuseContent,
  readSuseMedia,
  readSuseProducts,
} from '../../../../server/core/tree/descriptors/suse.ts'
import type { Description } from '../../../../server/core/tree/tree.ts'
import { stating } from '../../../support/stating.ts'

/** Family, version, variant and arch, with `-` for what a descriptor does not say. */
const namesOf = (found: Description | undefined) =>
  found && [found.family, found.version, found.variant, found.arch].map((name) => name || '-').join(' / ')
const linesOf = (found: Description | undefined) => found?.problems.map(({ line }) => line)
const utc = (...parts: [number, number, number, number?, number?, number?]) => Date.UTC(...parts) / 1000

describe('.disk/info', () => {
  const read = (text: string) => readDiskInfo('.disk/info', text)
  const debian = 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27'

  test.each([
    [debian, 'Debian GNU/Linux / 12.5.0 / NETINST / amd64', 'bookworm', utc(2024, 1, 10, 11, 27)],
    [
      'Ubuntu-Server 22.04.3 LTS "Jammy Jellyfish" - Release amd64 (20230810)',
      'Ubuntu / 22.04.3 / Server / amd64',
      'jammy jellyfish',
      utc(2023, 7, 10),
    ],
    [
      'Debian GNU/Linux 4.0 r1 "Etch" - Official i386 DVD Binary-1 20070820-20:21',
      'Debian GNU/Linux / 4.0 r1 / DVD / i386',
      'etch',
      utc(2007, 7, 20, 20, 21),
    ],
    ['\n\nDebian 9 "x"--live\r\n', 'Debian / 9 / LIVE / -', 'x', undefined],
  ])('%j', (text, names, codename, timestamp) => {
    const found = read(text)
    expect(namesOf(found)).toBe(names)
    expect([found?.codename, found?.timestamp]).toEqual([codename, timestamp])
  })

  test('what the line does not say is a problem', () => {
    expect(read(debian)?.problems).toEqual([])
    expect(read('Debian "sid" - Official')?.problems).toEqual([
      { file: '.disk/info', line: 1, message: expect.stringContaining('arch') },
      { file: '.disk/info', line: 1, message: expect.stringContaining('version') },
    ])
  })

  test('something else is not read', () => {
    const product = (length: number) => `${'x'.repeat(length - 2)} 1 "y" - amd64`
    expect(read(product(80))).toBeDefined()
    expect(read(product(81))).toBeUndefined()
    expect(read(`Debian 1 "${'y'.repeat(61)}" - amd64`)).toBeUndefined()
    expect(read(`${debian}\n\n\n\n.`)).toBeDefined()
    for (const text of ['', 'Debian 12 - amd64', `${debian}\n\n\n\n\n.`, 'Debian "x" amd64'])
      expect(read(text), text).toBeUndefined()
  })
})

describe('.discinfo', () => {
  const read = (...lines: string[]) => readDiscinfo('.discinfo', lines.join('\n'))

  test('has timestamp, release, arch and discs', () => {
    const found = read('1414159790.06', 'Fedora 21', ' x86_64 ', '1,2,3', '')
    expect(namesOf(found)).toBe('Fedora / 21 / - / x86_64')
    expect(found).toMatchObject({ timestamp: 1414159790.06, disc: { number: 1, total: 3 }, problems: [] })
  })

  test.each([
    ['ALL', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['2', { number: 2, total: 2 }],
    ['3,1', { number: 3, total: 3 }],
    ['1,x', { number: 1, total: 1 }],
  ])('the discs %s', (discs, disc) => {
    expect(read('1414159790', 'Fedora 21', 'ppc', discs)?.disc).toEqual(disc)
  })

  test('Red Star writes a date in place of seconds', () => {
    expect(read('201204151234', '붉은별 3.0판', 'i386')?.timestamp).toBe(utc(2012, 3, 15, 12, 34))
    expect(read('2012041512', 'x 1', 'i386')?.timestamp).toBe(2012041512)
  })

  test('what is unusual is a problem of its line', () => {
    const stamp = '1414159790.06'
    expect(linesOf(read(stamp, 'Fedora 21'))).toEqual([3])
    expect(linesOf(read(stamp, 'Fedora 21', 'm68k'))).toEqual([3])
    expect(linesOf(read(stamp, '', 'x86_64'))).toEqual([2])
    expect(linesOf(read(stamp, '7.8', 'x86_64'))).toEqual([2])
    expect(linesOf(read(stamp, 'Fedora 8', 'i386', '1', 'base', 'RPMS', 'pixmaps'))).toEqual([5])
    expect(linesOf(read(stamp, 'Fedora 8', 'i386', '1'))).toEqual([])
  })

  test('something else is not read', () => {
    expect(read('123456', 'x', 'x86_64')).toBeDefined()
    expect(read('1', 'x', 'a'.repeat(32))).toBeUndefined()
    expect(read('123456', 'x', 'a'.repeat(32))).toBeDefined()
    for (const lines of [
      ['12345', 'x', 'x86_64'],
      ['123456'],
      ['123456.', 'x', 'x86_64'],
      ['x123456', 'x', 'x86_64'],
      ['123456', 'x', 'not an arch'],
      ['123456', 'x', 'a'.repeat(33)],
      ['123456', 'x', '64'],
      ['123456', '', ''],
    ])
      expect(read(...lines), lines.join('|')).toBeUndefined()
  })
})

describe('MANIFEST of debian-installer', () => {
  const lines = 'netboot/debian-installer -- PXE boot directory for tftp server\n'

  test('the folder of the file counts, and the arch of its path', () => {
    const found = readManifest('installer-arm64/current/images/MANIFEST', lines)
    expect(namesOf(found)).toBe('Debian / - / netboot / arm64')
    const folder = 'current/images/netboot/debian-installer/arm64'
    expect(found?.platforms).toEqual({
      arm64: { kernel: `${folder}/linux`, initrd: `${folder}/initrd.gz`, others: {} },
    })
    expect(found?.problems).toEqual([])
    expect(readManifest('MANIFEST', lines)?.platforms).toEqual({})
  })

  test('Ubuntu’s names debian-installer, too', () => {
    const ubuntu =
      'netboot/ubuntu-installer -- debian-installer for amd64\ncdrom/vmlinuz -- kernel for amd64\n'
    expect(namesOf(readManifest('installer-amd64/MANIFEST', ubuntu))).toBe('Ubuntu / - / netboot / amd64')
  })

  test('a bad line is a problem; a file of which most lines are bad is something else', () => {
    expect(linesOf(readManifest('MANIFEST', `${lines}\nhm\n`))).toEqual([3])
    expect(readManifest('MANIFEST', `${lines}hm\nhm\n`)).toBeUndefined()
    expect(readManifest('MANIFEST', '')).toBeUndefined()
    expect(readManifest('MANIFEST', 'src/a.c -- the source\n')).toBeUndefined()
    for (const path of ['mini.iso', 'vmlinux', 'x/initrd.gz', 'cdrom/x', 'hd-media/x'])
      expect(readManifest('MANIFEST', `${path} -- x\n`), path).toBeDefined()
  })
})

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
      `HASH SHA1 ${sha1}  boot/x86_64/loader/linux`,
      `HASH SHA1 ${sha1}  boot/x86_64/loader/initrd`,
      '# a comment',
      '',
      'HASH SHA1 abc boot/short',
      'HASH none',
      '!',
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
    expect(linesOf(found)).toEqual([13, 14, 15])
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
    expect(found?.timestamp).toBe(utc(2007, 8, 24, 16, 30, 12))
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

describe('version.info and VERSION', () => {
  test.each([
    [
      'Debian version:  12 (bookworm)\nInstaller build: 20230607+deb12u10\n',
      'Debian / 12 / netboot / -',
      'bookworm',
    ],
    ['Ubuntu version: 20.04\n', 'Ubuntu / 20.04 / netboot / -', undefined],
    ['Kali GNU/Linux version: 2024.1 (Kali-Rolling)\n', 'Kali / 2024.1 / netboot / -', 'kali-rolling'],
    ['my version: 1\n', undefined, undefined],
    [`Debian version: 12\n${' '.repeat(4096)}`, undefined, undefined],
  ])('version.info %j', (text, names, codename) => {
    const found = readVersionInfo('version.info', text)
    expect([namesOf(found), found?.codename]).toEqual([names, codename])
    expect(readVersionInfo('version.info', 'Debian version: 12\n'.padEnd(4096))).toBeDefined()
  })

  test.each([
    ['Mageia 9 Release x86_64 20230822 12:00\n', 'Mageia / 9 / - / x86_64'],
    ['Mandriva Linux 2011.0 i586\n', 'Mandriva Linux / 2011.0 / - / i586'],
    ['OpenMandriva 4.2\n', 'OpenMandriva / 4.2 / - / -'],
    ['Mageia cauldron\n', 'Mageia / cauldron / - / -'],
    ['\n  Mandriva 2010.2 x86_64\n', 'Mandriva / 2010.2 / - / x86_64'],
    ['OpenMandrivaLx 5 x86_64', 'OpenMandrivaLx / 5 / - / x86_64'],
    ['mageia 9\tRelease  x86_64\nx', 'mageia / 9 / - / x86_64'],
    ['Not Mageia 9\n', undefined],
    ['Mageia 9-beta\n', undefined],
    ['1.2.3\n', undefined],
    [`Mageia 9\n`.padEnd(4096), 'Mageia / 9 / - / -'],
    ['Mageia\n', undefined],
    [`Mageia 9\n${' '.repeat(4096)}`, undefined],
  ])('VERSION %j', (text, names) => {
    const [{ read }] = mageia.descriptors
    expect(namesOf(read('VERSION', text))).toBe(names)
  })
})

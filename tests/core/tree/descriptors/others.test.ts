import { describe, expect, test } from 'vitest'
import { mageia } from '../../../../server/core/distro/mageia.ts'
import { readDiscinfo } from '../../../../server/core/tree/descriptors/discinfo.ts'
import { readDiskInfo, readVersionInfo } from '../../../../server/core/tree/descriptors/disk-info.ts'
import { readManifest } from '../../../../server/core/tree/descriptors/manifest.ts'
import { linesOf, namesOf } from '../../../support/described.ts'

const utc = (...parts: [number, number, number, number?, number?]) => Date.UTC(...parts) / 1000

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
    [
      'Official Debian GNU/Linux Live 10.10.0 cinnamon 2021-06-19T12:13',
      'Debian GNU/Linux / 10.10.0 / LIVE / -',
      undefined,
      utc(2021, 5, 19, 12, 13),
    ],
    ['Kali Live 2024.1 xfce\n', 'Kali / 2024.1 / LIVE / -', undefined, undefined],
    ['\n\nDebian 9 "x"--live\r\n', 'Debian / 9 / LIVE / -', 'x', undefined],
    ['  \n  Debian 9"x"---amd64', 'Debian / 9 / - / amd64', 'x', undefined],
    [
      'Kubuntu-Desktop 24.04 "Noble Numbat" - amd64',
      'Kubuntu-Desktop / 24.04 / - / amd64',
      'noble numbat',
      undefined,
    ],
    ['ubuntu-MATE 24.04 "Noble Numbat" - amd64', 'ubuntu / 24.04 / MATE / amd64', 'noble numbat', undefined],
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
    for (const stamp of ['2012041512', '1201204151234', '2012041512345', '201204151234.5'])
      expect(read(stamp, 'x 1', 'i386')?.timestamp, stamp).toBe(Number(stamp))
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

  test('a file of another name counts as one in its own folder', () => {
    expect(readManifest('focal-amd64.txt', lines)?.platforms).toMatchObject({
      amd64: { kernel: 'netboot/debian-installer/amd64/linux' },
    })
  })

  test('a path below the folder of the installer is not that folder', () => {
    const paths = `netboot/debian-installer/amd64/pxelinux.0 -- boot loader\n${lines}`
    expect(readManifest('MANIFEST', paths)?.platforms).toEqual({
      amd64: {
        kernel: 'netboot/debian-installer/amd64/linux',
        initrd: 'netboot/debian-installer/amd64/initrd.gz',
        others: {},
      },
    })
  })

  test('Ubuntu’s names debian-installer, too', () => {
    const ubuntu =
      'netboot/ubuntu-installer -- debian-installer for amd64\ncdrom/vmlinuz -- kernel for amd64\n'
    expect(namesOf(readManifest('installer-amd64/MANIFEST', ubuntu))).toBe('Ubuntu / - / netboot / amd64')
  })

  test('a bad line is a problem; a file of which most lines are bad is something else', () => {
    expect(linesOf(readManifest('MANIFEST', `${lines}\nhm\n`))).toEqual([3])
    expect(linesOf(readManifest('MANIFEST', `${lines}  \ntwo words -- x\n`))).toEqual([3])
    expect(linesOf(readManifest('MANIFEST', `${lines}  cdrom/x  --  x\n/cdrom/y -- y\n`))).toEqual([3])
    expect(readManifest('MANIFEST', `${lines}hm\nhm\n`)).toBeUndefined()
    expect(readManifest('MANIFEST', '')).toBeUndefined()
    expect(readManifest('MANIFEST', 'src/a.c -- the source\n')).toBeUndefined()
    expect(readManifest('MANIFEST', 'mini.iso.txt -- notes\n')).toBeUndefined()
    for (const path of ['mini.iso', 'vmlinux', 'x/initrd.gz', 'cdrom/x', 'hd-media/x'])
      expect(readManifest('MANIFEST', `${path} -- x\n`), path).toBeDefined()
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
    ['# \ndebian installer version:12  (Bookworm)\n', 'debian / 12 / netboot / -', 'bookworm'],
    ['my version: 1\n', undefined, undefined],
    ['not Debian version: 12\n', undefined, undefined],
    ['Debian: a version: 12\n', undefined, undefined],
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

import { describe, expect, test } from 'vitest'
import { concludeTree, sourcesOf, type TreeEvidence } from '../../../server/core/tree/conclude.ts'
import { contradiction, contradictions } from '../../../server/core/tree/sources.ts'
import type { VolumeIds } from '../../../server/core/tree/volume-ids.ts'
import { stating } from '../../support/stating.ts'

/** What descriptors, the volume descriptor, the boot files and the name say of one tree, together. */

const pair = { 'images/pxeboot/vmlinuz': 9, 'images/pxeboot/initrd.img': 9 }
const nothing: VolumeIds = { volume: '', system: '', publisher: '', application: '' }
const treeinfo = (general: string) =>
  `[general]\n${general}\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n`

interface Given {
  readonly name?: string
  readonly volume?: string
  readonly treeinfo?: string
  readonly sizes?: Readonly<Record<string, number>>
}

function evidenceOf({ name = 'x', volume, treeinfo: text, sizes = pair }: Given): TreeEvidence {
  return {
    name,
    volume: volume === undefined ? undefined : { ...nothing, volume },
    descriptors: new Map(text === undefined ? [] : [['.treeinfo', Buffer.from(treeinfo(text))]]),
    sizes: new Map(Object.entries(sizes)),
    modifiedMs: 0,
    problems: [],
  }
}
const conclude = (given: Given) => concludeTree(evidenceOf(given))
const problemsOf = (given: Given) => conclude(given)?.problems.map(({ message }) => message)

describe('the order of sources', () => {
  const fedora40 = 'family = Fedora\nversion = 40\narch = x86_64'

  test('a descriptor file, then the volume descriptor, then the name', () => {
    const volume = 'Fedora-S-dvd-x86_64-41'
    expect(conclude({ treeinfo: fedora40, volume, name: 'f42' })?.version).toBe('40')
    expect(conclude({ volume, name: 'f42' })).toMatchObject({
      era: 'volume-descriptor',
      family: 'Fedora',
      version: '41',
      variant: 'Server',
      arch: 'x86_64',
    })
    expect(conclude({ name: 'f42' })).toMatchObject({ era: 'files-only', version: '42' })
  })

  test('each fills what better ones do not say', () => {
    const volume = 'RHEL-9-4-0-BaseOS-aarch64'
    const half = 'family = Red Hat Enterprise Linux\nversion ='
    expect(conclude({ treeinfo: half, volume })).toMatchObject({ version: '9.4', era: 'treeinfo-0.0' })
    expect(conclude({ volume: 'CentOS', name: 'lab/centos-6.10-i386' })).toMatchObject({
      family: 'CentOS',
      version: '6.10',
      arch: 'i386',
    })
  })

  test('a volume descriptor of another distribution fills nothing', () => {
    const volume = 'RHEL-8-7-0-BaseOS-x86_64'
    expect(conclude({ treeinfo: 'family = EuroLinux\nversion =\narch = x86_64', volume })).toMatchObject({
      family: 'EuroLinux',
      version: '',
    })
    expect(conclude({ volume, name: 'fedora-40' })).toMatchObject({ version: '8.7' })
    expect(conclude({ volume: 'CentOS', name: 'fedora-40' })).toMatchObject({ family: 'CentOS', version: '' })
  })

  test('the path of a kernel wins over volume descriptor and name, and a note says so', () => {
    const sizes = { 'boot/i386/loader/linux': 9, 'boot/i386/loader/initrd': 9 }
    const volume = 'openSUSE-13.1-DVD-x86_64'
    const tree = conclude({ volume, sizes })
    expect(tree).toMatchObject({ family: 'openSUSE', version: '13.1', arch: 'i386' })
    expect(tree?.platforms.i386?.kernel).toBe('boot/i386/loader/linux')
    expect(problemsOf({ volume, sizes })).toEqual([
      expect.stringMatching(stating('i386', 'volume descriptor', 'x86_64')),
    ])
    expect(problemsOf({ name: 'opensuse-13.1-aarch64', sizes })).toEqual([
      expect.stringMatching(stating('i386', 'name', 'aarch64')),
    ])
  })
})

describe('a disc without a descriptor file and boot files', () => {
  test('is a tree when a rule knows its volume descriptor', () => {
    expect(conclude({ volume: 'Rocky-9-4-x86_64-dvd', sizes: {} })).toMatchObject({
      family: 'Rocky Linux',
      version: '9.4',
      arch: 'x86_64',
      platforms: {},
      problems: [{ message: expect.stringMatching(stating('kernel', 'initrd', 'x86_64')) }],
    })
    // The name adds what the disc does not say.
    const slackware = evidenceOf({ name: 'slackware-15.0', sizes: {} })
    const volume = { ...nothing, volume: 'SlackDVD', application: 'SLACKWARE INSTALL' }
    expect(concludeTree({ ...slackware, volume })).toMatchObject({ family: 'Slackware', version: '15.0' })
  })

  test('is none when its identifier only reads like a name; with boot files it is', () => {
    for (const volume of ['Linux Mint 21.3 Cinnamon 64-bit', 'MY FEDORA 40']) {
      expect(conclude({ volume, sizes: {} })).toBeUndefined()
      expect(conclude({ volume })?.version).toBe(/\d\d(?:\.\d)?/.exec(volume)?.[0])
    }
    // A single digit may be the number of the disc.
    expect(conclude({ volume: 'Kali Linux amd64 1' })).toMatchObject({ family: 'Kali Linux', version: '' })
    expect(conclude({ volume: 'CDROM' })).toMatchObject({ family: '', version: '' })
  })
})

describe('contradictions', () => {
  const identity = (text: string) => {
    const [family = '', version = '', arch = ''] = text.split('/')
    return { family, version, variant: '', arch }
  }

  test.each([
    ['Fedora/40/x86_64', 'Fedora/41/x86_64', 'version'],
    ['Fedora/40/x86_64', 'Rocky Linux/40/x86_64', 'family'],
    ['Fedora/40/x86_64', 'Fedora/40/aarch64', 'arch'],
    ['Fedora/40/amd64', 'Fedora/40/x86_64', undefined],
    ['Rocky Linux/9.4/', 'Rocky Linux/9/', undefined],
    ['Rocky Linux/9.4/', 'Rocky Linux/9.5/', 'version'],
    ['CentOS/8/', 'CentOS/8.2.2004/', undefined],
    ['CentOS/9/', 'CentOS Stream/9/', undefined],
    ['SUSE Linux Enterprise/15.4/', 'SUSE Linux Enterprise Server/15 SP4/', undefined],
    ['SUSE Linux Enterprise Server/15/', 'SUSE Linux Enterprise Desktop/15/', 'family'],
    // Debian testing has the number of the next release.
    ['Debian/testing/', 'Debian/14/', undefined],
    ['Trisquel/11/', 'Trisquel/11.0.1/', undefined],
    ['Trisquel/11/', 'Hyperbola/11/', 'family'],
    // What one does not say, and numbers without a family.
    ['Fedora//', 'Fedora/40/x86_64', undefined],
    ['/7/', 'Fedora/40/', undefined],
    ['//', '//', undefined],
  ])('%s and %s: %s', (a, b, what) => {
    expect(contradiction(identity(a), identity(b))).toBe(what)
    expect(contradiction(identity(b), identity(a))).toBe(what)
  })

  test('each source that contradicts a better one is noted once, with what both say', () => {
    const sources = ['Fedora/40/x86_64', 'Fedora/40/', 'Fedora/41/aarch64', 'Rocky Linux/9/'].map(
      (text, at) => ({
        ...identity(text),
        origin: `source ${at}`,
        text: '',
      }),
    )
    const notes = contradictions(sources).map(({ message }) => message)
    expect(notes).toEqual([
      expect.stringMatching(
        stating('source 0', 'Fedora 40 x86_64', 'source 2', 'Fedora 41 aarch64', 'source 0'),
      ),
      expect.stringMatching(stating('source 0', 'source 3', 'Rocky Linux 9', 'source 0')),
    ])
  })

  test('a note does not change the tree', () => {
    const volume = 'Fedora-S-dvd-x86_64-41'
    expect(problemsOf({ volume, name: 'rocky-9' })).toEqual([
      expect.stringMatching(stating('volume descriptor', 'Fedora 41', 'name', 'Rocky Linux 9')),
    ])
    expect(problemsOf({ volume, name: 'copy/fedora-41' })).toEqual([])
    expect(problemsOf({ volume, name: 'lab/2' })).toEqual([])
    expect(
      problemsOf({ treeinfo: 'family = Fedora\nversion = 41\narch = x86_64', volume, name: 'f41' }),
    ).toEqual([])
  })
})

test('the sources are listed best first, with what is written in the volume descriptor', () => {
  const evidence = evidenceOf({ treeinfo: 'family = Fedora\nversion = 40', volume: 'ODD DISC', name: 'f40' })
  const volume = { ...nothing, volume: 'ODD DISC', publisher: 'SOMEBODY', application: 'SOMETHING' }
  expect(sourcesOf({ ...evidence, volume })).toEqual([
    { origin: '.treeinfo', family: 'Fedora', version: '40', variant: '', arch: 'x86_64', text: '' },
    {
      origin: 'volume descriptor',
      ...{ family: '', version: '', variant: '', arch: '' },
      text: 'ODD DISC | SOMEBODY | SOMETHING',
    },
    { origin: 'name', family: 'Fedora', version: '40', variant: '', arch: '', text: '' },
  ])
  expect(sourcesOf(evidenceOf({ name: 'x' }))).toEqual([])
})

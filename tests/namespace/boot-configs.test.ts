import { beforeEach, describe, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { Decision } from '../../server/core/boot/decision.ts'
import type { RawFacts } from '../../server/core/guest/machine-facts.ts'
import type { Alternative } from '../../server/core/guest/selectors.ts'
import type { Requester } from '../../server/core/net/requester.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { bootConfigMounts } from '../../server/namespace/boot-configs.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { createAnswers } from '../../server/namespace/namespace.ts'
import { debian12, fedora40, makeGuest, makeInputs, makeTree } from '../support/boot-inputs.ts'
import { parse } from '../support/config.ts'
import { sharedRenderer } from '../support/renderer.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const guests = [
  makeGuest('web01', { tree: fedora40, uuid, ip: '10.99.0.7' }),
  makeGuest('by-address', { tree: fedora40, macs: [], ip: '10.99.0.58' }),
  makeGuest('deb', { tree: debian12, macs: ['52:54:00:00:00:02'], args: [`x=it's`] }),
]

function snapshotOf(unknown: 'menu' | 'local' | 'ignore', generation = 1): Snapshot {
  const { trees, guests: index } = makeInputs([fedora40, debian12], guests)
  return {
    generation,
    trees,
    guests: index,
    profiles: new Map(),
    selectors: [],
    templates: new Map(),
    problems: [],
    config: { ...parse('').config, unknown },
  }
}

let snapshot = snapshotOf('menu')
/** What the entries carried that were asked for. */
let decisions: Decision[] = []
let source: FileSource
/** What DHCP requests told of the machine with a MAC or a UUID. */
let shown: Readonly<Record<string, RawFacts>> = {}

beforeEach(() => {
  snapshot = snapshotOf('menu')
  decisions = []
  shown = {}
  const services = () => ({ http: { port: 8080 }, tftp: { port: 69 } })
  const machines = {
    ...noMachines,
    // A DHCP request named web01's UUID with this MAC, which no guest has.
    uuidOf: (mac: string) => (mac === '52:54:00:00:00:44' ? uuid : undefined),
    shownByDhcp: ({ macs = [], uuid: asked }: RawFacts) => shown[macs[0] ?? asked ?? ''] ?? {},
  }
  const { answers } = createAnswers({ services, machines, renderer: sharedRenderer })
  source = mountTable(bootConfigMounts({ snapshot: () => snapshot, services, machines, answers }))
})

const tftp: Requester = { protocol: 'tftp', address: '10.99.0.200', localAddress: '10.99.0.1' }
const http: Requester = { protocol: 'http', address: '10.99.0.200', host: 'boot.lan:8080' }
const fromWeb01: Requester = { ...tftp, address: '10.99.0.7' }
const fromKnownAddress: Requester = { ...tftp, address: '10.99.0.58' }

async function read(path: string, who = tftp): Promise<string | undefined> {
  const entry = await source.stat(cleanPath(path), who)
  if (entry?.decision) decisions.push(entry.decision)
  return entry?.kind === 'file' && entry.content ? new TextDecoder().decode(entry.content) : undefined
}

// 44454c4c-... is web01's UUID in the raw byte order that PXELINUX sends. In hexadecimal, 0A63003A is the address of
// by-address, and 0A630007 that of web01.
describe('names that mean one machine', () => {
  test.each([
    '/pxelinux.cfg/01-52-54-00-aa-bb-01',
    `/pxelinux.cfg/${uuid}`,
    '/pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3132',
    '/bios/pxelinux.cfg/01-52-54-00-aa-bb-01',
    '/grub.cfg-01-52-54-00-aa-bb-01',
    '/grub.cfg-01-52:54:00:aa:bb:01',
    `/grub/grub.cfg-${uuid}`,
  ])('%s is that guest', async (path) => {
    expect(await read(path)).toContain('inst.repo=http://10.99.0.1:8080/trees/fedora/40/x86_64')
    expect(decisions).toMatchObject([
      {
        guest: 'web01',
        summary: 'install fedora/40/x86_64',
        loader: path.includes('pxelinux') ? 'pxelinux' : 'grub',
        offer: { tree: fedora40.id, kernel: `/trees/${fedora40.id}/images/pxeboot/vmlinuz` },
      },
    ])
  })
  test.each(['/pxelinux.cfg/0A63003A', '/EFI/fedora/grub.cfg-0A63003A'])(
    '%s is the guest that is known by its address alone',
    async (path) => {
      expect(await read(path)).toContain('inst.repo=')
      expect(decisions).toMatchObject([{ guest: 'by-address', summary: 'install fedora/40/x86_64' }])
    },
  )
  test.each([
    '/pxelinux.cfg/01-52-54-00-00-00-99',
    // The address of a guest that has a MAC: PXELINUX has asked by its own before.
    '/pxelinux.cfg/0A630007',
    '/EFI/fedora/grub.cfg-0A630007',
    '/pxelinux.cfg/11111111-2222-3333-4444-555555555555',
    '/pxelinux.cfg/0A630099',
    '/pxelinux.cfg/0A63003',
    '/pxelinux.cfg/0',
    '/grub.cfg-01-52-54-00-00-00-99',
    '/grub.cfg-0A63',
    '/grub/x86_64-efi/command.lst',
    '/revocations_sku.efi',
    '/ldlinux.c32',
    '/trees/some/grub.cfg',
    '/boot/nobody/ipxe',
    '/boot/web01/other',
    '/boot/by/nonsense/ipxe',
    '/boot/by/52-54-00-aa-bb-01/virt-install.sh',
  ])('%s is declined, also while unknown machines get a menu', async (path) => {
    expect(await read(path, fromWeb01)).toBeUndefined()
    expect(decisions).toEqual([])
  })
})

describe('names that mean everybody', () => {
  test('default is the plan of the guest at that address, else a menu', async () => {
    expect(await read('/pxelinux.cfg/default', fromKnownAddress)).toContain('inst.repo=')
    expect(await read('/pxelinux.cfg/default')).toContain('SAY 1 Fedora 40 Server')
    expect(await read('/pxelinux.cfg/default-arm-bcm283x')).toContain('SAY 1 Fedora 40 Server')
    expect(decisions.map((decision) => decision.kind === 'boot' && decision.summary)).toEqual([
      'install fedora/40/x86_64',
      'menu of 2 trees',
      'menu of 2 trees',
    ])
  })
  test('an LPXELINUX that sends its cookie is known by it', async () => {
    expect(await read('/pxelinux.cfg/default', { ...http, macs: ['01-52-54-00-aa-bb-01'] })).toContain(
      'LINUX http://boot.lan:8080/trees/fedora/40/x86_64/images/pxeboot/vmlinuz',
    )
  })
  test.each(['/grub.cfg', '/grub/grub.cfg', '/debian-installer/arm64/grub/grub.cfg'])(
    '%s sends each machine to its own file first, which exists for every machine',
    async (path) => {
      const shared = await read(path)
      expect(shared).toContain('  configfile /boot/by/$net_default_mac/grub.cfg\n')
      expect(shared).toContain("menuentry 'Boot from the local disk'")
      expect(await read('/boot/by/52:54:00:aa:bb:01/grub.cfg')).toContain('inst.repo=')
      expect(await read('/boot/by/52:54:00:00:00:99/grub.cfg')).toContain("menuentry 'Fedora 40")
    },
  )
  test.each(['/boot.ipxe', '/autoexec.ipxe', '/ipxe/autoexec.ipxe'])(
    '%s asks again with its names',
    async (path) => {
      const script = await read(path, http)
      expect(script).toContain(
        `chain --replace --autofree http://boot.lan:8080/boot/by/\${netX/mac:hexhyp}/\${uuid}/ipxe?serial=\${serial:uristring}&vendor=\${manufacturer:uristring} || goto again`,
      )
      expect(await read(`/boot/by/52-54-00-aa-bb-01/${uuid}/ipxe`, http)).toContain(
        'kernel --timeout 60000 http://boot.lan:8080/',
      )
      // A machine without a UUID leaves its part of the path empty.
      expect(await read('/boot/by/52-54-00-aa-bb-99//ipxe', http)).toContain('choose --default local')
    },
  )
  test('a board that nobody gave a UUID is known by its MAC', async () => {
    const nobody = '00000000-0000-0000-0000-000000000000'
    expect(await read(`/boot/by/52-54-00-aa-bb-01/${nobody}/ipxe`, http)).toContain(
      ' http://boot.lan:8080/trees/',
    )
    expect(decisions[0]).not.toHaveProperty('facts.uuid')
  })
  test('a guest known by its UUID alone gets its plan from a GRUB that says its MAC alone', async () => {
    expect(await read('/boot/by/52:54:00:00:00:44/grub.cfg')).toContain('inst.repo=')
    expect(await read('/grub.cfg-01-52-54-00-00-00-44')).toContain('inst.repo=')
    expect(decisions.map((decision) => decision.kind === 'boot' && decision.guest)).toEqual([
      'web01',
      'web01',
    ])
  })
  test('unknown: ignore leaves strangers to the next name, and to their disk where there is none', async () => {
    snapshot = snapshotOf('ignore')
    expect(await read('/pxelinux.cfg/default')).toBeUndefined()
    expect(await read('/boot/by/52:54:00:00:00:99/grub.cfg')).toBeUndefined()
    expect(await read('/grub/grub.cfg')).toContain('chainloader ($root)$loader')
    expect(await read('/boot/by/52-54-00-00-00-99/ipxe', http)).toContain('exit 1')
    expect(await read('/pxelinux.cfg/default', fromKnownAddress)).toContain('inst.repo=')
  })
  // Its disk would be wiped because a guest is to have the address that it has now.
  test.each([
    '/boot/by/52-54-00-00-00-99/ipxe',
    '/boot/by/52-54-00-00-00-99/11111111-2222-3333-4444-555555555555/ipxe',
    '/boot/by/52:54:00:00:00:99/grub.cfg',
    '/pxelinux.cfg/default',
    '/grub/grub.cfg',
  ])('%s is no installation for another machine at the address of a guest', async (path) => {
    await read(path, fromWeb01)
    expect(decisions).toMatchObject([{ summary: 'menu of 2 trees' }])
    expect(decisions[0]).not.toHaveProperty('guest')
  })
})

describe('what a guest would boot', () => {
  test('is there for every loader and hypervisor, and listed', async () => {
    const files = await source.list(cleanPath('/boot/web01'), http)
    expect(files?.map((entry) => entry.name)).toEqual([
      'env',
      'grub.cfg',
      'ipxe',
      'json',
      'libvirt.xml',
      'pxelinux.cfg',
      'qemu.sh',
      'virt-install.sh',
      'xl.cfg',
    ])
    expect(await read('/boot/web01/libvirt.xml', http)).toContain("<domain type='kvm'>")
    expect(decisions).toEqual([])
  })
  test('what a loader cannot be told is told to the person at the screen', async () => {
    expect(await read('/boot/deb/grub.cfg')).toMatch(/^echo 'treeboot: GRUB cannot express .*it.*s/)
    expect(await read('/boot/deb/pxelinux.cfg')).toContain("APPEND x=it's")
  })
  test('a tree that cannot be written is left out of a menu and hides no other', async () => {
    // A file name in a PXELINUX configuration ends at the first blank.
    const { trees } = makeInputs([makeTree('with blank'), debian12], [])
    snapshot = { ...snapshot, trees }
    const menu = await read('/pxelinux.cfg/default')
    expect(menu).toContain('SAY 1 Debian 12')
    expect(menu).not.toContain('with blank')
  })
})

test('a menu is made anew for a new snapshot', async () => {
  expect(await read('/pxelinux.cfg/default')).toContain('Debian 12')
  const { trees } = makeInputs([fedora40], [])
  snapshot = { ...snapshot, generation: 2, trees }
  expect(await read('/pxelinux.cfg/default')).not.toContain('Debian 12')
})

test('while only TFTP is open iPXE gets everything by it, and what would need HTTP is refused', async () => {
  const services = () => ({ tftp: { port: 69 } })
  const { answers } = createAnswers({ services, machines: noMachines, renderer: sharedRenderer })
  source = mountTable(bootConfigMounts({ snapshot: () => snapshot, services, machines: noMachines, answers }))
  expect(await read('/boot.ipxe')).toContain('chain --replace --autofree tftp://10.99.0.1/boot/by/')
  expect(await read('/boot/deb/ipxe')).toContain(` tftp://10.99.0.1/trees/${debian12.id}/`)
  expect(await read('/boot/web01/ipxe')).toContain('the http service is closed: set http.enabled to true')
})

describe('an unknown machine that a profile selects', () => {
  const macPath = '/pxelinux.cfg/01-52-54-00-00-00-77'
  const unknownUuid = '4c4c4544-0042-3510-8052-b4c04f4a0077'
  const uuidPath = `/pxelinux.cfg/${unknownUuid}`
  /** The DHCP request of this machine named both, and its CPU. */
  const byDhcp = { macs: ['52:54:00:00:00:77'], archs: ['aarch64'], vendorClass: 'PXEClient' }

  function select(...selectors: readonly (readonly [string, Alternative])[]): void {
    snapshot = {
      ...snapshotOf('ignore'),
      selectors: selectors.map(([profile, each]) => {
        return { profile, auto: 'local', alternatives: [each], definedAt: `profiles.d/${profile}.yaml:1` }
      }),
    }
  }
  const profileAt = async (path: string) => /profile (\w+) has/.exec((await read(path)) ?? '')?.[1]

  test('gets its profile although unknown is ignore, and an address in a path selects nothing', async () => {
    select(['a', { subnet: '10.99.0.0/16' }])
    expect(await profileAt(macPath)).toBe('a')
    expect(await profileAt('/pxelinux.cfg/default')).toBe('a')
    expect(await read('/pxelinux.cfg/0A630099')).toBeUndefined()
  })

  test('is not served by its UUID while its MAC may change the profile, unless DHCP told the MAC', async () => {
    select(['a', { subnet: '10.99.0.0/16' }], ['b', { macPrefix: '525400' }])
    expect(await read(uuidPath)).toBeUndefined()
    expect(await profileAt(macPath)).toBe('b')
    shown = { [unknownUuid]: byDhcp }
    expect(await profileAt(uuidPath)).toBe('b')
  })

  test('is selected by what its DHCP requests told', async () => {
    select(['a', { arch: 'aarch64', macPrefix: '525400' }])
    expect(await read(macPath)).toBeUndefined()
    shown = { '52:54:00:00:00:77': byDhcp }
    expect(await profileAt(macPath)).toBe('a')
  })

  test('is never one that is a guest', async () => {
    select(['a', { macPrefix: '52' }])
    expect(await read('/pxelinux.cfg/01-52-54-00-aa-bb-01')).toContain('inst.repo=')
  })
})

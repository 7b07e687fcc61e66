import { describe, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { ClientFacts } from '../../server/core/boot/firmware.ts'
import type { OpenServices } from '../../server/core/boot/urls.ts'
import { defined } from '../../server/core/defined.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import type { Alternative } from '../../server/core/guest/selectors.ts'
import { parseBootPath } from '../../server/core/loader/boot-path.ts'
import type { LoaderOrigin, LoaderPreference } from '../../server/core/loader/loaders.ts'
import type { NetworkReply } from '../../server/core/loader/network-offer.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { Machines } from '../../server/machines/machines.ts'
import { networkBoot } from '../../server/machines/network-boot.ts'
import { clientFacts } from '../../server/protocols/dhcp/request.ts'
import { debian12, fakeTreeIndex, fedora40, makeGuest } from '../support/boot-inputs.ts'
import { parse } from '../support/config.ts'
import { clients, type PretendClient, request } from '../support/dhcp.ts'

const mac = '52:54:00:aa:bb:01'
const stranger = '52:54:00:ff:ff:ff'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
const allLoaders = ['undionly.kpxe', 'pxelinux.0', 'snponly.efi', 'ipxe.efi', 'shimx64.efi', 'grubx64.efi']
const lab = { name: 'lab', definedAt: 'profiles.d/lab.yaml:1' }
const here: OpenServices = { http: { port: 8080 }, tftp: { port: 69 } }

interface Setting {
  readonly files?: readonly string[]
  readonly services?: OpenServices
  readonly knownOnly?: boolean
  readonly unknown?: 'menu' | 'local' | 'ignore'
  readonly loader?: LoaderPreference
  readonly guestLoader?: LoaderPreference
  readonly guestLoaderFrom?: LoaderOrigin
  /** Those of `files` that lie in tftpboot. */
  readonly tftpboot?: readonly string[]
  readonly url?: string
  /** The profile `lab` selects these machines. */
  readonly match?: Alternative
  /** Address -> MAC. */
  readonly neighbours?: Readonly<Record<string, string>>
}

function snapshotOf({
  knownOnly = false,
  unknown = 'menu',
  loader = 'auto',
  guestLoader,
  guestLoaderFrom,
  url,
  match,
}: Setting): Snapshot {
  const { config } = parse('')
  const plain = makeGuest('web01', { macs: [mac], tree: fedora40 })
  const said = <T>(value: T | undefined) => (value === undefined ? undefined : { value, from: 'here' })
  const wanted = defined({ loader: said(guestLoader), loaderFrom: said(guestLoaderFrom) })
  const guest = { ...plain, settings: { ...plain.settings, ...wanted } }
  const byUuid = makeGuest('db01', { macs: [], uuid, tree: fedora40 })
  return {
    generation: 1,
    trees: fakeTreeIndex([fedora40, debian12]),
    guests: createGuestIndex([guest, byUuid]),
    profiles: new Map([['lab', { ...lab, inherits: [], settings: guest.settings }]]),
    selectors: match ? [{ ...lab, profile: 'lab', auto: 'local', alternatives: [match] }] : [],
    templates: new Map(),
    problems: [],
    config: {
      ...config,
      server: defined({ ...config.server, url }),
      dhcp: { ...config.dhcp, mode: 'proxy', knownOnly, loader },
      unknown,
    },
  }
}

/** Where a machine asks: first every DHCP server, then, with an offer, the boot server that made it. */
type DhcpPort = 67 | 4011

/** Asks at port 67 like a machine that starts anew each time. */
function machineRoom(setting: Setting = {}) {
  const { files = allLoaders, services = here, tftpboot = [], neighbours = {} } = setting
  const snapshot = snapshotOf(setting)
  const source = memorySource(Object.fromEntries(files.map((name) => [`/${name}`, 'loader'])))
  const seen: [ClientFacts, string][] = []
  const machines = new Machines({
    snapshot: () => snapshot,
    events: () => {},
    macAt: async (address) => neighbours[address],
  })
  machines.askedByDhcp = (client, firmware) => void seen.push([client, firmware])
  const decide = networkBoot({
    snapshot: () => snapshot,
    services: () => services,
    machines,
    loaderExists: async ({ urlPath, origin }, who) =>
      (origin !== 'tftpboot' || tftpboot.includes(urlPath.slice(1))) &&
      (await source.stat(cleanPath(urlPath), who))?.kind === 'file',
  })
  /** A loader was sent the configuration at this path. */
  const fetched = (path: string): void => {
    const asked = parseBootPath(path)
    const facts = asked?.owner.kind === 'machine' ? asked.owner : {}
    if (!asked) return
    const decision = { kind: 'boot', summary: '', facts, loader: asked.loader, localDisk: false } as const
    const served = { type: 'served', protocol: 'tftp', client: '192.0.2.7', outcome: 'complete' } as const
    machines.sink({ ...served, path, bytes: 10, ms: 1, decision })
  }
  /** A loader was sent to its end, to the address of this machine. */
  const took = async (path: string, address = '192.0.2.7'): Promise<void> => {
    const served = { type: 'served', protocol: 'tftp', outcome: 'complete' } as const
    machines.sink({ ...served, client: address, path: `/${path}`, bytes: 10, ms: 1 })
    await new Promise(setImmediate)
  }
  let xid = 1
  const ask = (client: Partial<PretendClient>, port: DhcpPort = 67): Promise<NetworkReply | undefined> =>
    decide({
      client: clientFacts(request('discover', { mac, ...client })),
      serverAddress: '192.0.2.1',
      clientAddress: '',
      xid: xid++,
      isFollowUp: port === 4011,
    })
  const fileFor = async (client: Partial<PretendClient>, port: DhcpPort = 67): Promise<string> => {
    const answer = await ask(client, port)
    if (!answer) return 'nobody'
    return answer.kind === 'offer' ? answer.offer.bootFile : `silence: ${answer.why}`
  }
  return { ask, fileFor, machines, fetched, took, seen }
}

describe('an unknown machine that a profile selects', () => {
  const strange = { ...clients.uefi, mac: stranger }
  const silence = /^silence: it is not a guest/

  test('is answered although unknown is ignore; what a packet does not show selects nothing yet', async () => {
    const asked = (match?: Alternative, more: Setting = {}) =>
      machineRoom({ unknown: 'ignore', ...more, ...defined({ match }) }).fileFor(strange)
    expect(await asked()).toMatch(silence)
    expect(await asked({ macPrefix: '525400ff' })).toBe('snponly.efi')
    expect(await asked({ arch: 'x86_64', vendor: 'pxeclient' })).toBe('snponly.efi')
    expect(await asked({ arch: 'aarch64' })).toMatch(silence)
    expect(await asked({ macPrefix: '525400ff', serial: 's1' })).toMatch(silence)
    expect(await asked({ macPrefix: '525400ff' }, { knownOnly: true })).toMatch(silence)
  })

  test('gets the loader that the profile names', async () => {
    const room = machineRoom({ match: { macPrefix: '525400ff' }, guestLoader: 'grub' })
    expect(await room.fileFor(strange)).toBe('shimx64.efi')
    expect(await machineRoom({ guestLoader: 'grub' }).fileFor(strange)).toBe('snponly.efi')
  })
})

describe('what each client is offered', () => {
  test('by its firmware', async () => {
    const { fileFor } = machineRoom()
    // Another machine: one that asks anew without having started its iPXE is sent the signed chain.
    expect(await fileFor({ ...clients.bios, mac: stranger })).toBe('undionly.kpxe')
    expect(await fileFor(clients.uefi)).toBe('snponly.efi')
    expect(await fileFor(clients.uefiHttp)).toMatch(/^http:\/\/192\.0\.2\.1:8080\//)
    expect(await fileFor(clients.ipxeBios)).toBe('http://192.0.2.1:8080/boot.ipxe')
    expect(await fileFor(clients.ipxeUefi)).toBe('http://192.0.2.1:8080/boot.ipxe')
    expect(await fileFor(clients.dhclient)).toBe('nobody')
  })

  test('a machine that no loader exists for gets a line in the log, and is remembered', async () => {
    const { ask, seen } = machineRoom()
    // 37: UEFI for 32-bit LoongArch.
    expect(await ask({ ...clients.uefi, archs: [37] })).toEqual({
      kind: 'silence',
      why: 'there is no loader for option 93 37 (UEFI on LoongArch, 32 bits)',
    })
    expect(seen.map(([{ mac: of }, firmware]) => [of, firmware])).toEqual([[mac, 'option 93: 37']])
  })

  test('in the style that its firmware expects', async () => {
    const { ask } = machineRoom()
    expect(await ask(clients.uefiHttp)).toMatchObject({ offer: { style: 'http' }, guest: 'web01' })
    expect(await ask(clients.uefi)).toMatchObject({ offer: { style: 'pxe' } })
    // The addresses of Raspberry Pis begin with dc:a6:32.
    expect(await ask({ ...clients.bios, mac: 'dc:a6:32:00:00:01' })).toMatchObject({
      offer: { style: 'raspberry-pi', bootFile: '' },
    })
  })

  test('only what can be fetched', async () => {
    expect(await machineRoom({ files: ['ipxe.efi'] }).fileFor(clients.uefi)).toBe('ipxe.efi')
    expect(await machineRoom({ files: [] }).fileFor(clients.uefi)).toMatch(
      /^silence: uefi-x64: no loader for uefi-x64 is there; treeboot loaders/,
    )
    expect(await machineRoom().fileFor(clients.arm64)).toMatch(/no loader for uefi-arm64/)
  })

  test('nothing that needs a service that is closed', async () => {
    const closed = machineRoom({ services: { http: { port: 80 } } })
    expect(await closed.fileFor(clients.uefi)).toMatch(/the tftp service is closed/)
    const elsewhere = machineRoom({ services: { http: { port: 80 }, tftp: { port: 10_069 } } })
    expect(await elsewhere.fileFor(clients.uefi)).toMatch(/not on port 69/)
    expect(await elsewhere.fileFor(clients.uefiHttp)).toBe('http://192.0.2.1/snponly.efi')
    const tftpOnly = machineRoom({ services: { tftp: { port: 69 } } })
    expect(await tftpOnly.fileFor(clients.uefiHttp)).toMatch(/the http service is closed/)
    expect(await tftpOnly.fileFor(clients.ipxeBios)).toBe('tftp://192.0.2.1/boot.ipxe')
    expect(await machineRoom({ services: {} }).fileFor(clients.ipxeBios)).toMatch(
      /neither the http nor the tftp/,
    )
  })

  test('at the URL that the operator gave us', async () => {
    const { fileFor } = machineRoom({ url: 'https://mirror.example' })
    expect(await fileFor(clients.ipxeBios)).toBe('https://mirror.example/boot.ipxe')
  })

  test('what guest, profile or dhcp.loader ask for', async () => {
    expect(await machineRoom({ guestLoader: 'grub' }).fileFor(clients.uefi)).toBe('shimx64.efi')
    expect(await machineRoom({ loader: 'grub' }).fileFor({ ...clients.uefi, mac: stranger })).toBe(
      'shimx64.efi',
    )
    expect(await machineRoom({ loader: 'grub', guestLoader: 'ipxe' }).fileFor(clients.uefi)).toBe(
      'snponly.efi',
    )
    expect(await machineRoom({ guestLoader: 'pxelinux' }).fileFor(clients.ipxeBios)).toBe('pxelinux.0')
  })

  test('the chain of the guest’s own tree before the host’s', async () => {
    const own = `boot/loader/${fedora40.id}/shimx64.efi`
    expect(await machineRoom({ files: [...allLoaders, own], loader: 'grub' }).fileFor(clients.uefi)).toBe(own)
  })

  test('the loader of the operator before that chain, and the same once more on port 4011', async () => {
    const own = `boot/loader/${fedora40.id}/shimx64.efi`
    const setting = { files: [...allLoaders, own], tftpboot: ['shimx64.efi'], loader: 'grub' } as const
    const { ask, fileFor } = machineRoom({ ...setting, guestLoaderFrom: 'tftpboot' })
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
    expect(await fileFor(clients.uefi, 4011)).toBe('shimx64.efi')
    expect(await ask(clients.uefi)).toMatchObject({ why: 'loader: grub; loader-from: tftpboot' })
    // Nothing of the operator's: what there is, with the reason.
    const none = machineRoom({ ...setting, tftpboot: [], guestLoaderFrom: 'tftpboot' })
    expect(await none.ask(clients.uefi)).toMatchObject({
      offer: { bootFile: own },
      why: expect.stringMatching('loader-from: tftpboot has none that would do'),
    })
  })
})

describe('whom it answers', () => {
  test('known machines by MAC or UUID, unknown ones unless told otherwise', async () => {
    const unknown = { ...clients.uefi, mac: stranger }
    expect(await machineRoom({ knownOnly: true }).fileFor(unknown)).toMatch(/silence: .*known-only/)
    expect(await machineRoom({ unknown: 'ignore' }).fileFor(unknown)).toMatch(/silence: .*unknown is ignore/)
    expect(await machineRoom({ unknown: 'local' }).fileFor(unknown)).toBe('snponly.efi')
    expect(await machineRoom({ knownOnly: true }).fileFor(clients.uefi)).toBe('snponly.efi')
    expect(await machineRoom({ knownOnly: true }).ask({ ...unknown, uuid })).toMatchObject({ guest: 'db01' })
  })

  test('every machine that asks is noted once for each attempt, also one that gets no answer', async () => {
    const { ask, seen } = machineRoom({ knownOnly: true })
    await ask({ ...clients.uefi, mac: stranger })
    await ask(clients.bios)
    await ask(clients.bios, 4011)
    await ask(clients.dhclient)
    expect(seen.map(([{ mac: of }, firmware]) => [of, firmware])).toEqual([
      [stranger, 'uefi-x64'],
      [mac, 'bios'],
    ])
  })
})

describe('a loader that is never started', () => {
  test('is followed by the signed chain, on port 4011 too, and what then runs stays', async () => {
    const { fileFor, fetched, took } = machineRoom()
    expect(await fileFor(clients.uefi)).toBe('snponly.efi')
    expect(await fileFor(clients.uefi, 4011)).toBe('snponly.efi')
    await took('snponly.efi')
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
    expect(await fileFor(clients.uefi, 4011)).toBe('shimx64.efi')
    fetched(`/boot/by/${mac}/grub.cfg`)
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
  })

  test('one that was never fetched was not refused, however often the machine asks', async () => {
    const { fileFor, took } = machineRoom()
    for (let round = 0; round < 3; round++) expect(await fileFor(clients.uefi)).toBe('snponly.efi')
    // A probe for its size, and another file.
    await took('shimx64.efi')
    expect(await fileFor(clients.uefi)).toBe('snponly.efi')
    await took('snponly.efi')
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
    // The chain was not fetched either, so what is known is as before.
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
    await took('shimx64.efi')
    expect(await fileFor(clients.uefi)).toBe('snponly.efi')
  })

  test('the fetch of a neighbour counts for that machine alone, that of an unknown one for all', async () => {
    const { fileFor, took } = machineRoom({ neighbours: { '192.0.2.8': stranger } })
    const other = { ...clients.uefi, mac: stranger }
    await fileFor(clients.uefi)
    await fileFor(other)
    await took('snponly.efi', '192.0.2.8')
    expect(await fileFor(clients.uefi)).toBe('snponly.efi')
    expect(await fileFor(other)).toBe('shimx64.efi')
    await took('snponly.efi', '198.51.100.7')
    expect(await fileFor(clients.uefi)).toBe('shimx64.efi')
  })

  test('iPXE that speaks up is sent again', async () => {
    const { fileFor } = machineRoom()
    for (let round = 0; round < 3; round++) {
      expect(await fileFor(clients.uefi)).toBe('snponly.efi')
      expect(await fileFor(clients.ipxeUefi)).toBe('http://192.0.2.1:8080/boot.ipxe')
    }
  })

  test('loaders are recognised by the names that they ask for', async () => {
    const { fileFor, fetched, took } = machineRoom()
    await fileFor(clients.bios)
    await took('undionly.kpxe')
    expect(await fileFor(clients.bios)).toBe('pxelinux.0')
    fetched('/trees/x/grub.cfg') // nobody's
    fetched(`/pxelinux.cfg/01-${mac.replaceAll(':', '-')}`)
    expect(await fileFor(clients.bios)).toBe('pxelinux.0')
  })

  test('by the UUID, too, in either byte order: it belongs to the MAC that asked by DHCP', async () => {
    const { fileFor, machines, fetched, took } = machineRoom()
    const db01 = { uuid, mac: '52:54:00:00:00:07' }
    await fileFor({ ...clients.uefi, ...db01 })
    await took('snponly.efi')
    expect(await fileFor({ ...clients.uefi, ...db01 })).toBe('shimx64.efi')
    expect(machines.uuidOf(db01.mac)).toBe(uuid)
    fetched(`/grub/grub.cfg-${uuid}`)
    expect(await fileFor({ ...clients.uefi, ...db01 })).toBe('shimx64.efi')
    const other = { uuid: '4c4c4544-0042-3510-8052-b4c04f4a3733', mac: '52:54:00:00:00:08' }
    await fileFor({ ...clients.bios, ...other })
    await took('undionly.kpxe')
    expect(await fileFor({ ...clients.bios, ...other })).toBe('pxelinux.0')
    fetched('/pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3733')
    expect(await fileFor({ ...clients.bios, ...other })).toBe('pxelinux.0')
  })
})

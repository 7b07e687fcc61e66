import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import { testFirmwares } from '../../server/core/boot/test-firmware.ts'
import type { Requester } from '../../server/core/net/requester.ts'
import { dryMachines } from '../../server/dryboot/dry-machines.ts'
import type { Event } from '../../server/events/bus.ts'
import { cleanPath } from '../../server/files/path.ts'
import { Machines } from '../../server/machines/machines.ts'
import { networkBoot } from '../../server/machines/network-boot.ts'
import { createAnswers, createNamespace } from '../../server/namespace/namespace.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { allServices, loaderTexts, makeBootableTree, readFolder, tryIn } from '../support/dry-boot.ts'
import { sharedRenderer } from '../support/renderer.ts'
import { namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const mac = '52:54:00:aa:bb:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'

/** A server's parts over a real store: what requests and packets change. */
async function server() {
  const folder = temporaryFolder()
  makeBootableTree(folder, 'fedora-40')
  for (const [name, bytes] of Object.entries(loaderTexts)) writeBelow(folder, `tftpboot/${name}`, bytes)
  writeBelow(folder, 'kickstart-templates/small.ks', 'text\nrootpw hunter2\n{{ report_url }}\n')
  writeBelow(
    folder,
    'config.yaml',
    `dhcp: { mode: proxy }\nguests:\n  web01: { mac: "${mac}", uuid: ${uuid}, tree: { id: fedora-40 }, template: small.ks }\n` +
      `  new01: { mac: "52:54:00:aa:bb:02", uuid: ${uuid.replace('4c', '5c')}, tree: { id: fedora-40 }, template: small.ks }\n`,
  )
  const snapshot = await readFolder(folder)
  const events: Event[] = []
  const machines = new Machines({ snapshot: () => snapshot, events: (event) => events.push(event) })
  const store = await openStore({ ...snapshot.config.paths, ...snapshot.config.state, onTrouble: () => {} })
  await machines.open(store, { witnesses: store.witnesses, acceptNew: true, installsUnknown: () => false })
  onTestFinished(() => machines.close())
  const services = () => allServices
  const { answers } = createAnswers({ services, machines, renderer: sharedRenderer })
  const source = createNamespace({ snapshot: () => snapshot, services, machines, answers, hostLoaders: [] })
  const exists = { loaderExists: async () => true }
  const decide = networkBoot({ snapshot: () => snapshot, services, machines, ...exists })
  return { folder, snapshot, machines, events, source, decide, answers }
}

/** All rows of all tables, and all files of `data/` but those of SQLite, whose rows are compared. */
function stored(folder: string): unknown {
  const data = join(folder, 'data')
  const raw = new Database(join(data, 'treeboot.db'), { readonly: true })
  const tables = raw
    .prepare("select name from sqlite_master where type = 'table' order by name")
    .pluck()
    .all()
  const rows = tables.map((name) => [name, raw.prepare(`select * from "${name}"`).all()])
  raw.close()
  const files = namesBelow(data).filter((name) => !/\.db(?:-wal|-shm)?$/.test(name))
  return { rows, files: files.map((name) => [name, readFileSync(join(data, name), 'hex')]) }
}

/** What a server has in memory of a machine. */
async function remembered(machines: Machines, snapshot: Snapshot): Promise<unknown> {
  const who: Requester = { protocol: 'http', address: '192.0.2.7', localAddress: '192.0.2.1' }
  return {
    states: ['web01', 'new01'].map((guest) => machines.stateOf(guest)),
    history: await machines.history('web01'),
    loaders: [mac, '52:54:00:aa:bb:02'].map((each) => [
      machines.loaders.history(each, 99),
      machines.loaders.lastBasis(each),
      machines.loaders.mayHaveSent('/undionly.kpxe'),
      machines.loaders.mayHaveSent('/snponly.efi'),
    ]),
    names: machines.uuidOf('52:54:00:aa:bb:02'),
    versions: [...machines.versionsOf(who)],
    bound: machines.boundTrees(),
    seen: await machines.seenMachines(),
    unknown: await machines.unknownMachines(),
    tree: snapshot.trees.all.length,
  }
}

test('a boot that is tried changes neither the store nor anything in memory, and no event is emitted', async () => {
  const { folder, snapshot, machines, events, source, decide } = await server()
  // A machine with a past: it has asked by DHCP, was offered the installer, and has loaded its kernel.
  const client = { mac, uuid, archs: [0], vendorClass: 'PXEClient:Arch:00000:UNDI:002001', userClasses: [] }
  await decide({ client, serverAddress: '192.0.2.1', clientAddress: '', xid: 7, isFollowUp: false })
  const who: Requester = { protocol: 'http', address: '192.0.2.7', localAddress: '192.0.2.1' }
  for (const path of [`/boot/by/${mac}/${uuid}/ipxe`, '/trees/fedora-40/images/pxeboot/vmlinuz']) {
    const entry = await source.stat(cleanPath(path), who)
    const bytes = entry?.size ?? 0
    const decision = entry?.decision && { decision: entry.decision }
    machines.sink({
      type: 'served',
      protocol: 'http',
      client: who.address,
      path,
      outcome: 'complete',
      bytes,
      ms: 1,
      who,
      ...decision,
    })
  }
  await machines.seenMachines()
  await expect.poll(async () => (await machines.history('web01')).length).toBe(2)
  const before = { stored: stored(folder), remembered: await remembered(machines, snapshot) }
  // It is worth comparing.
  expect(JSON.stringify(before)).toMatch(/"kind":"kernel".*uefi|bios/s)
  events.length = 0

  for (const guest of ['web01', 'new01']) {
    for (const as of ['next-boot', 'install'] as const) {
      for (const firmware of testFirmwares) {
        const parts = { snapshot, machines, seen: await machines.seenMachines() }
        const [boot] = await tryIn(folder, guest, { firmware, as }, parts)
        // Each goes far enough to have changed something: to a loader at least.
        expect(boot?.steps.length).toBeGreaterThan(1)
      }
    }
  }
  await machines.seenMachines()
  expect({ stored: stored(folder), remembered: await remembered(machines, snapshot) }).toEqual(before)
  expect(events).toEqual([])
})

test('the same questions of a real machine do change it', async () => {
  const { folder, snapshot, machines, decide, source } = await server()
  const before = stored(folder)
  const client = { mac, uuid, archs: [0], vendorClass: 'PXEClient:Arch:00000:UNDI:002001', userClasses: [] }
  await decide({ client, serverAddress: '192.0.2.1', clientAddress: '', xid: 7, isFollowUp: false })
  expect((await machines.seenMachines()).map((each) => each.mac)).toEqual([mac])
  expect(machines.loaders.mayHaveSent('/undionly.kpxe')).toBe(true)
  const who: Requester = { protocol: 'http', address: '192.0.2.7', localAddress: '192.0.2.1' }
  await (await source.stat(cleanPath('/ks/web01'), who))?.claim?.()
  expect(stored(folder)).not.toEqual(before)
  expect(snapshot.trees.all).toHaveLength(1)
})

test('no request is ever taken for a boot that is tried: the parts of one are not those of a service', async () => {
  const { folder, snapshot, machines, source } = await server()
  await machines.order('web01', { type: 'local' })
  const path = cleanPath(`/boot/by/${mac}/${uuid}/ipxe`)
  const who: Requester = { protocol: 'http', address: '192.0.2.7', localAddress: '192.0.2.1' }
  const parts = { snapshot, machines }
  // While it is tried as if it were to be installed, its machine asks in earnest: also in the name of treeboot itself.
  const trying = tryIn(folder, 'web01', { firmware: 'ipxe', as: 'install' }, parts)
  for (const asking of [who, { ...who, protocol: 'internal' as const, address: '127.0.0.1' }])
    expect((await source.stat(path, asking))?.decision).toMatchObject({ localDisk: true })
  expect((await trying)[0]).toMatchObject({ ok: true, end: 'installs fedora-40' })
  expect((await source.stat(path, who))?.decision).toMatchObject({ localDisk: true })
})

test('nothing can be claimed by a boot that is tried, and its reports would be those of no installation', async () => {
  const { machines, snapshot } = await server()
  const dry = dryMachines(machines)
  const guest = snapshot.guests.byName('web01')
  if (!guest) throw new Error('no guest')
  await expect(dry.claimAnswerFile(guest, { protocol: 'http', address: '' })).rejects.toThrow('claimed')
  expect(dry.reportToken('web01')).not.toBe(machines.reportToken('web01'))
  expect(dry.reportToken('web01')).toHaveLength(machines.reportToken('web01')?.length ?? 0)
})

test('what it tells has no secret of the guest', async () => {
  const { folder, snapshot, machines } = await server()
  const told = JSON.stringify(await tryIn(folder, 'web01', { firmware: 'all' }, { snapshot, machines }))
  expect(told).toContain('made from small.ks')
  expect(told).not.toContain('hunter2')
  expect(told).not.toContain(machines.reportToken('web01'))
})

import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type Child, startChild } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { type Lan, makeLan } from '../../server/emulator/lan.ts'
import { startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { biosDisk } from '../support/lab/disk.ts'
import {
  type Bench,
  benchPaths,
  buildTreeboot,
  guestImages,
  makeBench,
  treebootMain,
} from '../support/lab/lab.ts'
import { makeTree } from '../support/lab/trees.ts'

/**
 * A lost, old or foreign store, and a real machine that boots from the network afterwards: its disk is as it was. What
 * the server says of such a store is in tests/store-in-doubt.test.ts.
 */

const mac = '52:54:00:aa:bb:01'
const url = 'http://192.0.2.1:8080'

let bench: Bench
let lan: Lan

beforeEach(async () => {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', '/usr/lib/ipxe/qemu/pxe-virtio.rom')
  buildTreeboot()
  bench = makeBench()
  lan = makeLan(bench.undo)
  const { folder, undo } = bench
  makeTree(join(folder, 'trees'), 'fedora', await guestImages())
  writeFileSync(join(folder, 'templates/small.ks'), '{{ report_url }}\n')
  configure({ web01: { mac } })
  await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, { bootFile: `${url}/boot.ipxe` })
  return () => undo.unwind()
})

/** Writes the configuration with these guests, which are all to be installed. */
function configure(guests: Readonly<Record<string, { readonly mac: string }>>): void {
  const off = { enabled: false }
  const profiles = { base: { tree: { distro: 'fedora' }, template: 'small.ks' } }
  const all = Object.entries(guests).map(([name, guest]) => [name, { ...guest, profile: 'base' }])
  const access = { anonymous: 'viewer' }
  const services = { access, server: { bind: '192.0.2.1' }, http: { port: 8080 }, ftp: off, nfs: off }
  const config = { ...services, paths: benchPaths(bench), profiles, guests: Object.fromEntries(all) }
  writeFileSync(inBench('config.yaml'), stringify(config))
}

const inBench = (path: string): string => join(bench.folder, path)

/** As the shipped unit starts it, without the variable of the tests; with `newStore` as the demo does. */
async function serve({ newStore = false } = {}): Promise<Child> {
  const accept = newStore ? ['--new-store', 'install'] : []
  const without = ['-u', 'TREEBOOT_NEW_STORE']
  const command = ['serve', '--config', inBench('config.yaml'), '--json', ...accept]
  const child = startChild(
    bench.undo,
    lan.inside(['env', ...without, process.execPath, treebootMain, ...command]),
  )
  await child.output.waitFor(/^\{"event":"started".*\}$/m, 30_000)
  return child
}

function treeboot(...args: string[]): Promise<number> {
  const command = [process.execPath, treebootMain, ...args, '--config', inBench('config.yaml')] as const
  return startChild(bench.undo, lan.inside(command)).ended
}

/** A server that has a record of web01, which it would install. */
async function used(): Promise<Child> {
  const server = await serve({ newStore: true })
  expect(await treeboot('install', 'web01')).toBe(0)
  return server
}

/** Each ends with a stopped server and returns why the machine is held then. */
const rows: readonly (readonly [string, () => Promise<string>])[] = [
  [
    'the database is lost',
    async () => {
      await (await used()).stop()
      rmSync(inBench('data/treeboot.db'))
      return 'new store'
    },
  ],
  [
    'the data folder is lost, as by a container without a volume',
    async () => {
      await (await used()).stop()
      rmSync(inBench('data'), { recursive: true })
      return 'new store'
    },
  ],
  ['a new machine, or a newcomer: the configuration was there first', async () => 'new store'],
  [
    'an old backup was copied over the data folder',
    async () => {
      await (await used()).stop()
      cpSync(inBench('data'), inBench('backup'), { recursive: true })
      const later = await serve()
      expect(await treeboot('local', 'web01')).toBe(0)
      await later.stop()
      rmSync(inBench('data'), { recursive: true })
      cpSync(inBench('backup'), inBench('data'), { recursive: true })
      return 'old store'
    },
  ],
  [
    'the trees were moved, and the witness is lost',
    async () => {
      await (await used()).stop()
      rmSync(inBench('trees/.treeboot'), { recursive: true })
      return 'old store'
    },
  ],
  [
    'the guest was renamed, and its old name given to another machine',
    async () => {
      const server = await used()
      expect(await treeboot('local', 'web01')).toBe(0)
      await server.stop()
      configure({ web01: { mac: '52:54:00:aa:bb:77' }, www: { mac } })
      return 'renamed'
    },
  ],
]

test.each(rows)('%s: the machine boots its disk', async (_, loss) => {
  const reason = await loss()
  await serve()
  const disk = biosDisk(bench.folder)
  const network = { tap: lan.addTap() }
  const machine = startMachine(
    bench.undo,
    { firmware: 'bios', mac, memory: 256, network, disk: disk.drive },
    lan,
  )
  await machine.output.waitFor(/treeboot: (?:web01|www) is held: /, 180_000)
  await machine.output.waitFor(new RegExp(disk.line), 60_000)
  expect(await machine.ended).toBe(0)
  const name = reason === 'renamed' ? 'www' : 'web01'
  const shown = startChild(bench.undo, lan.inside(['curl', '--silent', `${url}/api/v1/guests/${name}`]))
  expect(await shown.ended).toBe(0)
  expect(JSON.parse(shown.output.text)).toMatchObject({ state: 'held', hold: reason })
})

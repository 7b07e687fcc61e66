import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import { beforeEach, describe, expect, test } from 'vitest'
import type { LookupResultJson } from '../../server/core/lookup/result.ts'
import { type Child, run } from '../../server/emulator/child.ts'
import { type Lan, makeLan } from '../../server/emulator/lan.ts'
import { startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { dracutGuest } from '../support/lab/dracut-guest.ts'
import { type Bench, labInstaller, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { makeTree } from '../support/lab/trees.ts'

/**
 * Guests with a static address, on a network whose only other host is treeboot: there is no DHCP server, no router
 * advertisement and no name server. QEMU loads kernel and initrd, with the command line that treeboot gives the guest.
 */
const mac = '52:54:00:aa:bb:50'

interface Case {
  readonly name: string
  readonly network: object
  /** How the guest reaches treeboot; without it at 192.0.2.1. */
  readonly server?: { readonly address: string; readonly url: string }
  /** What the guest says of its network. */
  readonly says: readonly string[]
}

const cases: readonly Case[] = [
  {
    name: 'one address, for the card with its MAC',
    network: {
      address: '192.0.2.50/24',
      gateway: '192.0.2.1',
      nameservers: ['192.0.2.1', '192.0.2.9'],
      search: 'lab.example',
    },
    says: [
      'eth0 inet 192.0.2.50/24',
      'route default via 192.0.2.1 dev eth0',
      'resolv nameserver 192.0.2.1',
      'resolv nameserver 192.0.2.9',
      'hostname static01',
    ],
  },
  {
    name: 'a VLAN on a card that gets a name by its MAC',
    network: {
      interfaces: [
        { name: 'lan0', mac },
        { vlan: 10, parent: 'lan0', address: '198.51.100.50/24' },
      ],
    },
    server: { address: '198.51.100.1/24', url: 'http://198.51.100.1:8080' },
    says: ['card eth0 is lan0', 'lan0.10 inet 198.51.100.50/24'],
  },
  {
    name: 'a bond',
    network: { bond: ['eth0'], address: '192.0.2.51/24' },
    says: ['bond0 inet 192.0.2.51/24'],
  },
  {
    name: 'IPv6 alone',
    network: { address: '2001:db8:91::50/64', gateway: '2001:db8:91::1' },
    server: { address: '2001:db8:91::1/64', url: 'http://[2001:db8:91::1]:8080' },
    says: ['eth0 inet6 2001:db8:91::50/64', 'route6 default via 2001:db8:91::1 dev eth0'],
  },
]

/** A change is shown by the first; the nightly run boots them all. */
const booted = env.EVERY_BOOT === undefined ? cases.slice(0, 1) : cases
let bench: Bench

beforeEach(() => {
  requireRoot()
  requireClient('busybox', 'dash', 'qemu-system-x86_64', 'ip', 'curl')
  bench = makeBench()
  return () => bench.undo.unwind()
})

describe("a guest with a static address and no DHCP server, by dracut's own parser and ifup", () => {
  test.each(booted)('$name', async (each) => {
    const { treeboot, machine, isReachable } = await boot(bench, each)
    await machine.output.waitFor(/guest: done/, 180_000)
    expect(await machine.ended).toBe(0)
    const { text } = machine.output
    for (const line of each.says) expect(text).toContain(`guest: ${line}`)
    if (isReachable) expect(text).toContain(`sha256 ${sha256(treeboot.get('/ks/static01'))}`)
  })
})

describe.runIf(env.EVERY_BOOT !== undefined)('a guest with a static address and no DHCP server', () => {
  test('debian-installer loads its preseed file from its own address', async () => {
    const { folder, undo } = bench
    const { kernel, initrd } = await labInstaller('amd64')
    const place = join(folder, 'trees/debian-12/debian-installer/amd64')
    mkdirSync(place, { recursive: true })
    copyFileSync(kernel, join(place, 'linux'))
    copyFileSync(initrd, join(place, 'initrd.gz'))
    writeFileSync(
      join(folder, 'templates/small.preseed'),
      'd-i preseed/early_command string (echo; echo preseed loaded by; ip addr show; cat /etc/resolv.conf; echo end) > /dev/ttyS0\n',
    )
    const lan = makeLan(undo)
    const network = { address: '192.0.2.50/24', nameservers: ['192.0.2.8', '192.0.2.9'] }
    const guest = { mac, tree: 'debian-12', template: 'small.preseed', args: 'console=ttyS0', network }
    const config = { guests: { static01: guest } }
    const treeboot = await startTreeboot(bench, { lan, config, trees: ['debian-12'] })
    const { cmdline } = JSON.parse(treeboot.get('/api/v1/lookup?guest=static01')) as LookupResultJson
    const tap = lan.addTap()
    const direct = { kernel, initrd, cmdline }
    const machine = startMachine(undo, { firmware: 'bios', mac, memory: 1024, network: { tap }, direct }, lan)
    const [said = ''] = await machine.output.waitFor(/preseed loaded by[\s\S]*?\nend/, 230_000)
    expect(said).toContain('inet 192.0.2.50/24')
    expect(said).toContain('nameserver 192.0.2.8')
    expect(said).toContain('nameserver 192.0.2.9')
    await treeboot.child.output.waitFor(
      /"client":"192\.0\.2\.50","path":"\/ks\/static01","outcome":"complete"/,
      5000,
    )
  })
})

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

interface Boot {
  readonly treeboot: Treeboot
  readonly machine: Child
  /** Whether the server has the network of the guest: a kernel without 802.1Q cannot give it the VLAN. */
  readonly isReachable: boolean
}

async function boot(bench: Bench, each: Case): Promise<Boot> {
  const { folder, undo } = bench
  const images = dracutGuest(requireClient('busybox'), requireClient('dash'))
  const tree = makeTree(join(folder, 'trees'), 'fedora', images)
  writeFileSync(
    join(folder, 'templates/small.ks'),
    '{% for line in network.kickstart %}\n{{ line }}\n{% endfor %}\n',
  )
  const lan = makeLan(undo)
  const isReachable = !each.server || addAddress(lan, each.server.address, each.name.includes('VLAN'))
  const guest = {
    mac,
    tree: tree.id,
    template: 'small.ks',
    network: each.network,
    // dracut waits for a router's advertisement even with a static address.
    args: ['console=ttyS0', 'quiet', 'rd.net.timeout.ipv6dad=2'],
  }
  const server = each.server ? { server: { bind: '::', url: each.server.url } } : {}
  const treeboot = await startTreeboot(bench, {
    lan,
    config: { guests: { static01: guest }, ...server },
    trees: [tree.id],
  })
  const { cmdline } = JSON.parse(treeboot.get('/api/v1/lookup?guest=static01')) as LookupResultJson
  const machine = startMachine(
    undo,
    { firmware: 'bios', mac, memory: 512, network: { tap: lan.addTap() }, direct: { ...images, cmdline } },
    lan,
  )
  return { treeboot, machine, isReachable }
}

/** Gives the server one more address, in VLAN 10 if asked. False where this machine's kernel knows no VLANs. */
function addAddress({ namespace, bridge }: Lan, address: string, inVlan: boolean): boolean {
  const device = inVlan ? `${bridge}.10` : bridge
  const ip = (...args: string[]) => run('ip', '-n', namespace, ...args)
  try {
    if (inVlan) ip('link', 'add', 'link', bridge, 'name', device, 'type', 'vlan', 'id', '10')
  } catch (error) {
    if (String(error).includes('Unknown device type')) return false
    throw error
  }
  ip('addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []))
  ip('link', 'set', device, 'up')
  return true
}

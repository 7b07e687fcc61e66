import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { run, startChild } from '../../server/emulator/child.ts'
import { type Host, type Lan, makeLan } from '../../server/emulator/lan.ts'
import { startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, makeBench, startTreeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

/**
 * A machine on another network than treeboot. A relay passes its requests on to the DHCP server, which gives the
 * address, and to treeboot, which is the proxy. A proxy's reply has no address to which a relay could send it.
 */

const mac = '52:54:00:aa:bb:01'
const relayAddress = '198.51.100.1'

let bench: Bench
beforeEach(() => {
  requireRoot()
  requireClient(
    'qemu-system-x86_64',
    'dnsmasq',
    'dhcrelay',
    'ip',
    'curl',
    '/usr/lib/ipxe/qemu/pxe-virtio.rom',
  )
  bench = makeBench()
  writeFileSync(join(bench.folder, 'templates/small.ks'), 'text\n%post\necho far away\n%end\n')
  return () => bench.undo.unwind()
})

/** A network behind the router `near`, with one machine's tap. */
function farNetwork(lan: Lan, near: Host): { tap: string } {
  const ip = (...args: string[]) => run('ip', '-n', near.namespace, ...args)
  ip('link', 'add', 'br1', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0')
  ip('addr', 'add', `${relayAddress}/24`, 'brd', '+', 'dev', 'br1')
  ip('link', 'set', 'br1', 'up')
  ip('tuntap', 'add', 'tap0', 'mode', 'tap')
  ip('link', 'set', 'tap0', 'master', 'br1', 'up')
  run(...near.inside(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']))
  run('ip', '-n', lan.namespace, 'route', 'add', '198.51.100.0/24', 'via', near.address)
  return { tap: 'tap0' }
}

/** A DHCP server for the far network that knows nothing of booting. */
async function startFarDhcp(lan: Lan): Promise<void> {
  const host = lan.addHost('192.0.2.2')
  run('ip', '-n', host.namespace, 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.7')
  const dnsmasq = startChild(
    bench.undo,
    host.inside([
      'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--no-ping'],
      ...['--pid-file=', `--dhcp-leasefile=${bench.folder}/leases`, '--log-facility=-', '--log-dhcp'],
      ...['--dhcp-authoritative', '--dhcp-range=198.51.100.100,198.51.100.120,255.255.255.0,1h'],
      `--dhcp-option=3,${relayAddress}`,
    ]),
  )
  await dnsmasq.output.waitFor(/DHCP, IP range/, 10_000)
}

const dhcrelay = (near: Host) =>
  startChild(
    bench.undo,
    near.inside(['dhcrelay', '-d', '-4', '-id', 'br1', '-iu', 'eth0', '192.0.2.2', '192.0.2.1']),
  )

const dnsmasqRelay = (near: Host) =>
  startChild(
    bench.undo,
    near.inside([
      'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--pid-file='],
      ...['--log-facility=-', '--log-dhcp', `--dhcp-relay=${relayAddress},192.0.2.2`],
      `--dhcp-relay=${relayAddress},192.0.2.1`,
    ]),
  )

const relays = [
  ['ISC dhcrelay', dhcrelay],
  ['dnsmasq as a relay', dnsmasqRelay],
] as const
/** The nightly run boots behind each of them. */
const booted = process.env.EVERY_BOOT === undefined ? relays.slice(0, 1) : relays

test.each(booted)('BIOS iPXE behind %s is installed', async (_, startRelay) => {
  const lan = makeLan(bench.undo)
  const near = lan.addHost('192.0.2.7')
  const network = farNetwork(lan, near)
  await startFarDhcp(lan)
  const tree = makeTree(join(bench.folder, 'trees'), 'fedora', await guestImages())
  const treeboot = await startTreeboot(bench, {
    lan,
    trees: [tree.id],
    config: {
      dhcp: { mode: 'proxy', 'known-only': true },
      guests: { far01: { mac, tree: labTrees.fedora.id, template: 'small.ks', args: ['console=ttyS0'] } },
    },
  })
  startRelay(near)
  const machine = startMachine(
    bench.undo,
    { firmware: 'bios', mac, memory: 768, network, folder: bench.folder },
    near,
  )
  const [, url, digest] = await machine.output.waitFor(/guest: answers (\S+) sha256 ([0-9a-f]{64})/, 180_000)
  expect(url).toMatch(`${treeboot.url}/ks/far01`)
  const answers = treeboot.get('/ks/far01')
  expect(digest).toBe(createHash('sha256').update(answers).digest('hex'))
  expect(await machine.ended).toBe(0)
  await treeboot.child.output.waitFor(/boot\.ipxe for ipxe-bios/, 5000)
})

import { beforeEach, expect, test } from 'vitest'
import { startChild } from '../../server/emulator/child.ts'
import { type Host, type Lan, makeLan } from '../../server/emulator/lan.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { type Bench, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'

/** Another server on the network that offers network boot is a problem that names it, whoever it is. */

const config = { dhcp: { mode: 'proxy', 'known-only': true }, http: { port: 8080 } }

let benches: Bench[]
let lan: Lan
beforeEach(() => {
  requireRoot()
  requireClient('dnsmasq', 'ip', 'curl')
  benches = []
  lan = makeLan(newBench().undo)
  return async () => {
    for (const { undo } of benches.reverse()) await undo.unwind()
  }
})

function newBench(): Bench {
  const bench = makeBench()
  benches.push(bench)
  return bench
}

const start = (at: Lan | Host) => startTreeboot(newBench(), { lan: at, config })
const problems = (treeboot: Treeboot): string => treeboot.get('/api/v1/problems')

/** Two questions of two seconds each. */
const probed = 10_000

test('dnsmasq as a proxy', async () => {
  const host = lan.addHost('192.0.2.7')
  const dnsmasq = startChild(
    newBench().undo,
    host.inside([
      'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root'],
      ...['--pid-file=', '--log-facility=-', '--log-dhcp', '--dhcp-range=192.0.2.0,proxy'],
      '--pxe-service=x86PC,Boot,pxelinux',
    ]),
  )
  await dnsmasq.output.waitFor(/DHCP, proxy/, 10_000)
  const treeboot = await start(lan)
  await eventually(() => expect(problems(treeboot)).toContain('192.0.2.7'), probed)
  expect(problems(treeboot)).toMatch(/another server offers network boot on br0: 192\.0\.2\.7/)
  expect(problems(treeboot)).toContain('dhcp.mode: off')
})

test('another treeboot, which has a store of its own', async () => {
  const first = await start(lan)
  const second = await start(lan.addHost('192.0.2.8'))
  await eventually(() => expect(problems(second)).toContain('on eth0: 192.0.2.1'), probed)
  // Neither counts the question of the other as a machine, nor its own.
  for (const treeboot of [first, second]) expect(JSON.parse(treeboot.get('/api/v1/inbox')).items).toEqual([])
})

test('a DHCP server that gives addresses, and names a boot file for clients without a proxy, is none', async () => {
  const host = lan.addHost('192.0.2.7')
  const dnsmasq = startChild(
    newBench().undo,
    host.inside([
      'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--no-ping'],
      ...['--pid-file=', '--log-facility=-', '--log-dhcp', `--dhcp-leasefile=${benches[0]?.folder}/leases`],
      ...['--dhcp-range=192.0.2.100,192.0.2.120', '--dhcp-boot=pxelinux.0'],
    ]),
  )
  await dnsmasq.output.waitFor(/DHCP, IP range/, 10_000)
  const treeboot = await start(lan)
  await dnsmasq.output.waitFor(/DHCPOFFER\(/, probed)
  await new Promise((resolve) => setTimeout(resolve, 5000))
  expect(problems(treeboot)).not.toContain('192.0.2.7')
})

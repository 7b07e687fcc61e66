import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { run } from '../../server/cli/demo/child.ts'
import { startDnsmasq } from '../../server/cli/demo/dnsmasq.ts'
import { makeLan } from '../../server/cli/demo/lan.ts'
import { startMachine } from '../../server/cli/demo/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, makeBench, startTreeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

/** UEFI firmware that boots by IPv6, from the lines that `treeboot dhcp-config` prints for DHCPv6. */

const ipxe = '/usr/lib/ipxe/snponly.efi'
/** One file of the package that has OVMF for every x64 machine here. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'
const mac = '52:54:00:aa:bb:01'
const address = 'fd00:db8::1'
const template = 'text\n%post\necho installed as {{ hostname }}\n%end\n'

let bench: Bench

beforeEach(() => {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', ovmf, ipxe)
  bench = makeBench()
  return () => bench.undo.unwind()
})

/** OVMF tries HTTP Boot by IPv4 first, which takes it a minute: left to the nightly run. */
const slow = process.env.EVERY_RESTART ? ([['HTTP Boot', 'uefi-http', 'http']] as const) : []

test.each([['PXE', 'uefi-pxe6', 'tftp'] as const, ...slow])(
  '%s by IPv6: loader, script, kernel and answer file',
  async (_, firmware, protocol) => {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(folder, 'templates/small.ks'), template)
    copyFileSync(ipxe, join(folder, 'tftpboot/snponly.efi'))
    const lan = makeLan(undo)
    run('ip', '-n', lan.namespace, 'addr', 'add', `${address}/64`, 'dev', lan.bridge, 'nodad')
    const args = ['console=ttyS0', 'quiet']
    const web01 = { mac, tree: labTrees.fedora.id, template: 'small.ks', args, vars: { hostname: 'web01' } }
    const config = { server: { bind: '::' }, guests: { web01 } }
    const treeboot = await startTreeboot(bench, { lan, config, trees: [tree.id] })
    const configFile = join(folder, 'dnsmasq.conf')
    const lines = treeboot.command('dhcp-config', 'dnsmasq', '--address', address)
    writeFileSync(configFile, `${lines}\ndhcp-range=fd00:db8::100,fd00:db8::1ff,slaac,64,5m\n`)
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, { configFile })
    const machine = startMachine(
      undo,
      { firmware, mac, memory: 768, network: { tap: lan.addTap() }, folder },
      lan,
    )
    const [, cmdline] = await machine.output.waitFor(/guest: booted with (.*)\n/, 180_000)
    expect(cmdline).toContain(`inst.repo=http://[${address}]:8080/trees/`)
    await machine.output.waitFor(/guest post: installed as web01/, 60_000)
    expect(await machine.ended).toBe(0)
    expect(treeboot.child.output.tail()).toMatch(new RegExp(`${protocol}.*snponly\\.efi`))
  },
)

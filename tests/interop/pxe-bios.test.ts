import { createHash } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Child } from '../../server/cli/demo/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../server/cli/demo/dnsmasq.ts'
import { makeLan } from '../../server/cli/demo/lan.ts'
import { startMachine } from '../../server/cli/demo/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

const mac = '52:54:00:aa:bb:01'

const config = {
  profiles: { base: { args: ['console=ttyS0'], tree: labTrees.fedora.id, template: 'small.ks' } },
  guests: { web01: { mac, profile: 'base', vars: { hostname: 'web01.example' } } },
}

/** Small, and with a line that proves it was rendered for this guest. */
const template = `text
network --hostname={{ vars.hostname }}
%post
echo installed as {{ vars.hostname }}
%end
`

describe('QEMU’s own firmware, an address from somebody else’s DHCP server, everything else from treeboot', () => {
  let bench: Bench
  let treeboot: Treeboot

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl')
    requireClient('/usr/lib/PXELINUX/pxelinux.0', '/usr/lib/syslinux/modules/bios/ldlinux.c32')
    requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  async function boot(advice: (treeboot: Treeboot) => DhcpAdvice): Promise<Child> {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(folder, 'templates/small.ks'), template)
    copyFileSync('/usr/lib/PXELINUX/pxelinux.0', join(folder, 'tftpboot/pxelinux.0'))
    copyFileSync('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(folder, 'tftpboot/ldlinux.c32'))
    const lan = makeLan(undo)
    treeboot = await startTreeboot(bench, { lan, config, trees: [tree.id] })
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, advice(treeboot))
    return startMachine(undo, { firmware: 'bios', mac, memory: 512, network: { tap: lan.addTap() } }, lan)
  }

  async function expectInstall(machine: Child): Promise<void> {
    const [, cmdline] = await machine.output.waitFor(/guest: booted with (.*)\n/, 120_000)
    expect(cmdline).toContain('console=ttyS0')
    const [, url, digest] = await machine.output.waitFor(/guest: answers (\S+) sha256 ([0-9a-f]{64})/, 60_000)
    expect(url).toMatch(`${treeboot.url}/ks/web01`)
    expect(digest).toBe(createHash('sha256').update(treeboot.get('/ks/web01')).digest('hex'))
    await machine.output.waitFor(/guest post: installed as web01\.example/, 20_000)
    expect(await machine.ended).toBe(0)
  }

  test('pxelinux.0 by TFTP, with the configuration that treeboot makes', async () => {
    const machine = await boot(() => ({ bootFile: 'pxelinux.0', nextServer: '192.0.2.1' }))
    await machine.output.waitFor(/PXELINUX/, 60_000)
    await expectInstall(machine)
  })

  test('an iPXE script over HTTP', async () => {
    const machine = await boot(({ url }) => ({ bootFile: `${url}/boot/web01/ipxe` }))
    await machine.output.waitFor(/iPXE/, 60_000)
    await expectInstall(machine)
  })
})

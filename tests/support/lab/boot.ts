import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { defined } from '../../../server/core/defined.ts'
import type { Child } from '../../../server/emulator/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../../server/emulator/dnsmasq.ts'
import { makeLan } from '../../../server/emulator/lan.ts'
import { type MachineFirmware, startMachine } from '../../../server/emulator/machine.ts'
import { type Bench, guestImages, startTreeboot, type Treeboot } from './lab.ts'
import { labTrees, makeTree } from './trees.ts'

/** One way of booting a machine from treeboot. */
export interface BootCase {
  readonly firmware: MachineFirmware
  /** Files for `tftpboot/`: the name of each there, and its path on this machine. */
  readonly loaders: Readonly<Record<string, string>>
  /** The boot options of the DHCP server. */
  readonly advice: (treeboot: Treeboot) => DhcpAdvice
  /** A disk that comes after the network in the boot order, as QEMU's `-drive` is told of it. */
  readonly disk?: string
  /** More configuration. */
  readonly config?: Readonly<Record<string, unknown>>
}

export interface Booted {
  readonly treeboot: Treeboot
  readonly machine: Child
}

const mac = '52:54:00:aa:bb:01'

/** A small template with a line that proves that it was rendered for this guest. */
const template = `text
network --hostname={{ hostname }}
%post
echo installed as {{ hostname }}
%end
`

/** Makes a network with treeboot and a foreign DHCP server, and switches a machine on. */
export async function bootGuest(bench: Bench, boot: BootCase): Promise<Booted> {
  const { folder, undo } = bench
  const arm = boot.firmware === 'arm64'
  const name = arm ? 'fedora-arm64' : 'fedora'
  const tree = makeTree(join(folder, 'trees'), name, await guestImages(arm ? 'arm64' : 'amd64'))
  writeFileSync(join(folder, 'templates/small.ks'), template)
  for (const [to, from] of Object.entries(boot.loaders)) {
    const file = join(folder, 'tftpboot', to)
    mkdirSync(dirname(file), { recursive: true })
    copyFileSync(from, file)
  }
  const lan = makeLan(undo)
  const args = [arm ? 'console=ttyAMA0' : 'console=ttyS0', 'quiet']
  const guests = {
    web01: { mac, tree: labTrees[name].id, template: 'small.ks', args, vars: { hostname: 'web01.example' } },
  }
  const treeboot = await startTreeboot(bench, {
    lan,
    config: { guests, ...boot.config },
    trees: [tree.id],
  })
  await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, boot.advice(treeboot))
  // UEFI keeps its loaders in memory beside the initrd; with less, GRUB runs out of memory.
  const memory = boot.firmware === 'bios' ? 512 : 768
  const network = { tap: lan.addTap() }
  const machine = startMachine(
    undo,
    { firmware: boot.firmware, mac, memory, network, folder, ...defined({ disk: boot.disk }) },
    lan,
  )
  return { treeboot, machine }
}

/**
 * Expects that the guest got the arguments of treeboot and its exact kickstart, ran its %post, and powered
 * off.
 */
export async function expectInstall({ machine, treeboot }: Booted): Promise<void> {
  const [, cmdline] = await machine.output.waitFor(/guest: booted with (.*)\n/, 180_000)
  expect(cmdline).toMatch(/console=tty/)
  expect(cmdline).toMatch(/inst\.repo=http:/)
  const [, url, digest] = await machine.output.waitFor(/guest: answers (\S+) sha256 ([0-9a-f]{64})/, 60_000)
  expect(url).toBe(`${treeboot.url}/ks/web01`)
  expect(digest).toBe(createHash('sha256').update(treeboot.get('/ks/web01')).digest('hex'))
  await machine.output.waitFor(/guest post: installed as web01\.example/, 20_000)
  expect(await machine.ended).toBe(0)
}

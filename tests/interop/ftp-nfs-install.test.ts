import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startChild } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { startMachine } from '../../server/emulator/machine.ts'
import { missingClient, requireClient, requireRoot } from '../support/clients.ts'
import { exchange } from '../support/http.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { startLibvirt } from '../support/lab/libvirt.ts'
import { serialUntil } from '../support/lab/serial.ts'
import { stage2Guest } from '../support/lab/stage2-guest.ts'
import { makeTree as makeLabTree } from '../support/lab/trees.ts'
import { guestShape, homeIn } from '../support/lab/virt-install.ts'
import { imagesOfTree, makeTree, treeinfoText, writeBelow } from '../support/tree-folder.ts'

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

describe('the second stage, taken as anaconda does in its initrd', () => {
  const needs = ['qemu-system-x86_64', 'busybox', 'curl'] as const
  /** Larger than any buffer on the way, and no round number. */
  const stage2 = randomBytes(20_000_003)
  let bench: Bench
  let treeboot: Treeboot

  beforeEach(() => void requireClient(...needs))
  beforeAll(async () => {
    bench = makeBench()
    if (missingClient(needs)) return
    const { folder } = bench
    // No checksums: install.img is replaced below.
    const shape = { version: '40', checksums: false }
    makeTree(join(folder, 'trees/fedora/40'), shape)
    writeBelow(join(folder, 'trees/fedora/40'), 'images/install.img', stage2)
    const onDisc = { version: '41', checksums: false }
    const files = { ...imagesOfTree(onDisc), '.treeinfo': treeinfoText(onDisc), 'images/install.img': stage2 }
    writeFileSync(join(folder, 'trees/fedora-41.iso'), writeIso({ files, rockRidge: true }).bytes)
    writeFileSync(join(folder, 'templates/small.ks'), 'text\n# {{ guest.name }}\n')
    const guest = (tree: string, source: string) => ({
      tree,
      source,
      template: 'small.ks',
      args: ['console=ttyS0'],
    })
    treeboot = await startTreeboot(bench, {
      trees: ['fedora/40', 'fedora-41'],
      config: {
        nfs: { bind: '127.0.0.1', port: 0 },
        guests: {
          'ftp-folder': guest('fedora/40', 'ftp'),
          'ftp-image': guest('fedora-41', 'ftp'),
          'nfs-folder': guest('fedora/40', 'nfs'),
          'nfs-image': guest('fedora-41', 'nfs'),
        },
      },
    })
  })
  afterAll(() => bench.undo.unwind())

  /** The whole command line of a guest, for one that calls us by the address that QEMU's own network gives us. */
  async function commandLine(guest: string): Promise<string> {
    const { http = 0 } = treeboot.ports
    const path = `/api/v1/lookup?guest=${guest}`
    const { body } = await exchange(http, `GET ${path} HTTP/1.1\r\nHost: 10.0.2.2:${http}\r\n\r\n`)
    return JSON.parse(body.toString()).cmdline
  }

  test.each([
    ['FTP', 'a folder', 'ftp-folder'],
    ['FTP', 'an ISO image', 'ftp-image'],
    ['NFS', 'a folder', 'nfs-folder'],
    ['NFS', 'an ISO image', 'nfs-image'],
  ])('over %s, from %s', async (protocol, _from, guest) => {
    const cmdline = await commandLine(guest)
    const { kernel, initrd } = stage2Guest(requireClient('busybox'), requireClient('curl'))
    const { output, ended } = startMachine(bench.undo, {
      firmware: 'bios',
      mac: '52:54:00:aa:bb:31',
      memory: 512,
      network: 'user',
      direct: { kernel, initrd, cmdline },
    })
    await output.waitFor(/guest: done/, 180_000)
    expect(await ended).toBe(0)
    const { text } = output
    const repo =
      protocol === 'FTP' ? /repo ftp:\/\/10\.0\.2\.2:\d+\/trees/ : /repo nfs:\S+:10\.0\.2\.2:\/trees/
    expect(text).toMatch(repo)
    if (protocol === 'NFS') expect(text).toMatch(/guest: mounted .* nfs ro,.*vers=3,.*proto=tcp/)
    // curl says 78 where a file is not there: the installer goes on without it.
    else expect(text).toMatch(/guest: updates\.img curl 78\s.*guest: product\.img curl 78\s/s)
    expect(text).toContain('guest: stage2 images/install.img')
    expect(text).toContain(`guest: sha256 ${sha256(stage2)}`)
    expect(text).toContain(`sha256 ${sha256(`text\n# ${guest}\n`)}`)
  })
})

describe('virt-install --location ftp://..., a real guest under a libvirtd of our own', () => {
  const needs = ['virt-install', 'libvirtd', 'qemu-system-x86_64', 'dnsmasq', 'ip', 'curl'] as const
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient(...needs)
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test('kernel and initrd come by FTP, and the guest is told to go on by FTP', async () => {
    const { folder, undo } = bench
    const tree = makeLabTree(join(folder, 'trees'), 'fedora', await guestImages())
    const lan = makeLan(undo)
    const treeboot = await startTreeboot(bench, {
      lan,
      trees: [tree.id],
      config: { ftp: { bind: lan.address, port: 21 } },
    })
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder)
    const libvirt = await startLibvirt(undo, lan, folder)
    const location = `ftp://${lan.address}/trees/${tree.id}`
    const serial = join(folder, 'serial.log')
    const install = startChild(
      undo,
      libvirt.inside([
        ...(['env', ...Object.entries(homeIn(folder)).map((pair) => pair.join('='))] as const),
        ...['virt-install', '--connect', 'qemu:///system', '--virt-type', 'qemu', '--hvm', ...guestShape],
        ...['--network', 'bridge=br0', '--serial', `file,path=${serial}`, '--noautoconsole'],
        // The guest only fetches its answer file, so any file will do.
        ...['--location', location, '--extra-args', `console=ttyS0 inst.ks=${location}/.treeinfo`],
      ]),
    )
    expect(await install.ended, install.output.tail()).toBe(0)
    const said = await serialUntil(serial, /guest: done/, 180_000)
    expect(said).toContain(`inst.repo=${location}`)
    const descriptor = readFileSync(join(folder, 'trees', tree.id, '.treeinfo'))
    expect(said).toContain(`answers ${location}/.treeinfo sha256 ${sha256(descriptor)}`)
    for (const image of [tree.kernel, tree.initrd]) {
      const served = `"protocol":"ftp","client":"${lan.address}","path":"/trees/${tree.id}/${image}","outcome":"complete"`
      await treeboot.child.output.waitFor(new RegExp(served.replaceAll('.', '\\.')), 5000)
    }
  })
})

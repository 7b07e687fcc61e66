import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { distros, recordOf } from '../../server/core/distro/families.ts'
import { startChild } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { missingClient, requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { startLibvirt } from '../support/lab/libvirt.ts'
import { serialUntil } from '../support/lab/serial.ts'
import { type LabTreeName, labTrees, makeTree } from '../support/lab/trees.ts'
import { domainOf, dryRun, guestShape, homeIn } from '../support/lab/virt-install.ts'

const names: readonly LabTreeName[] = ['fedora', 'centos', 'debian', 'suse']

describe('virt-install --location, as a dry run', () => {
  const needs = ['virt-install', 'curl'] as const
  let bench: Bench
  let treeboot: Treeboot

  beforeEach(() => {
    requireClient(...needs)
  })
  beforeAll(async () => {
    bench = makeBench()
    if (missingClient(needs)) return
    // The images are only looked at, not booted: any bytes will do.
    const images = { kernel: join(import.meta.dirname, '../../package.json'), initrd: import.meta.filename }
    for (const name of names) makeTree(join(bench.folder, 'trees'), name, images)
    treeboot = await startTreeboot(bench, { trees: names.map((name) => labTrees[name].id) })
  })
  afterAll(() => bench.undo.unwind())

  const at = (name: LabTreeName) => `${treeboot.url}/trees/${labTrees[name].id}`

  test.each([
    ['fedora', 'http://fedoraproject.org/fedora/', 'inst.repo='],
    ['centos', 'http://centos.org/centos/5.11', 'method='],
    ['debian', 'http://debian.org/debian/11', ''],
    ['suse', 'http://opensuse.org/opensuse/13.2', 'install='],
  ] as const)('%s: the release is recognised, kernel and initrd are found', (name, os, argument) => {
    const { xml, fetched } = dryRun(bench.folder, at(name), 'hvm')
    expect(xml).toContain(`<libosinfo:os id="${os}`)
    expect(xml).toMatch(/<type [^>]*>hvm<\/type>/)
    if (argument) expect(xml).toContain(`<cmdline>${argument}${at(name)}</cmdline>`)
    expect(fetched.slice(-2)).toEqual([labTrees[name].kernel, labTrees[name].initrd])
  })

  test('a trailing slash changes nothing', () => {
    const { fetched } = dryRun(bench.folder, `${at('fedora')}/`, 'hvm')
    expect(fetched.slice(-2)).toEqual([labTrees.fedora.kernel, labTrees.fedora.initrd])
  })

  test('under Xen, HVM boots the images of the arch and PV those for Xen', () => {
    const hvm = dryRun(bench.folder, at('centos'), 'xen-hvm')
    expect(hvm.xml).toContain('<type arch="x86_64" machine="xenfv">hvm</type>')
    expect(hvm.fetched.slice(-2)).toEqual(['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img'])
    const pv = dryRun(bench.folder, at('centos'), 'xen-pv')
    expect(pv.xml).toContain('<type arch="x86_64" machine="xenpv">xen</type>')
    expect(pv.fetched.slice(-2)).toEqual(['images/xen/vmlinuz', 'images/xen/initrd.img'])
  })

  test.each([
    ['fedora', 'http://fedoraproject.org/fedora/35', 'inst.repo=', 'virtio'],
    // Its virtio is older than the one of the chipset that virt-install takes.
    ['centos', 'http://redhat.com/rhel/5.4', 'method=', 'sata'],
    ['debian', 'http://debian.org/debian/11', undefined, 'virtio'],
    ['suse', 'http://opensuse.org/opensuse/13.2', 'install=', 'virtio'],
  ] as const)('the command that treeboot writes for %s', (name, os, argument, bus) => {
    const command = treeboot.get(`/api/v1/lookup?tree=${labTrees[name].id}&as=virt-install`)
    const xml = domainOf(bench.folder, command)
    expect(xml).toContain(`<libosinfo:os id="${os}"/>`)
    expect(xml).toMatch(new RegExp(`<target dev="[sv]da" bus="${bus}"/>`))
    expect(xml).toMatch(bus === 'virtio' ? /<model type="virtio"\/>/ : /<model type="e1000e"\/>/)
    // virt-install adds its own argument behind ours, unless it is told not to.
    const { cmdline } = JSON.parse(treeboot.get(`/api/v1/lookup?tree=${labTrees[name].id}`))
    expect(/<cmdline>(.*)<\/cmdline>/.exec(xml)?.[1] ?? '').toBe(cmdline)
    if (argument) expect(cmdline.split(argument)).toHaveLength(2)
  })

  test('every name that a record has is in osinfo-db', () => {
    requireClient('virt-install')
    const list = spawnSync('virt-install', ['--osinfo', 'list'], { encoding: 'utf8' }).stdout
    const known = new Set(list.split(/[\s,]+/))
    const named = distros.flatMap((distro) => recordOf(distro).osinfo?.map(([, name]) => name) ?? [])
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })

  test('what lookup answers is what virt-install finds', () => {
    for (const virt of ['hvm', 'pv'] as const) {
      const answer = JSON.parse(treeboot.get(`/api/v1/lookup?tree=${labTrees.centos.id}&virt=${virt}`))
      const { fetched } = dryRun(bench.folder, at('centos'), `xen-${virt}`)
      expect([answer.kernel.path, answer.initrd.path]).toEqual(fetched.slice(-2))
    }
  })
})

describe('virt-install --location, a real guest under a libvirtd of our own', () => {
  const needs = ['virt-install', 'libvirtd', 'qemu-system-x86_64', 'dnsmasq', 'ip', 'curl'] as const
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient(...needs)
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test('HVM without KVM: kernel and initrd come from the tree, and the guest fetches its kickstart', async () => {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    const lan = makeLan(undo)
    const treeboot = await startTreeboot(bench, { lan, trees: [tree.id] })
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder)
    const libvirt = await startLibvirt(undo, lan, folder)
    // The guest only fetches it, so any file will do.
    const kickstart = `/trees/${tree.id}/.treeinfo`
    const serial = join(folder, 'serial.log')
    const install = startChild(
      undo,
      libvirt.inside([
        ...(['env', ...Object.entries(homeIn(folder)).map((pair) => pair.join('='))] as const),
        ...['virt-install', '--connect', 'qemu:///system', '--virt-type', 'qemu', '--hvm', ...guestShape],
        ...['--network', 'bridge=br0', '--serial', `file,path=${serial}`, '--noautoconsole'],
        ...['--location', `${treeboot.url}/trees/${tree.id}`],
        ...['--extra-args', `console=ttyS0 inst.ks=${treeboot.url}${kickstart}`],
      ]),
    )
    expect(await install.ended, install.output.tail()).toBe(0)
    const said = await serialUntil(serial, /guest: done/, 90_000)
    expect(said).toContain(`inst.repo=${treeboot.url}/trees/${tree.id}`)
    const digest = createHash('sha256').update(treeboot.get(kickstart)).digest('hex')
    expect(said).toContain(`sha256 ${digest}`)
  })
})

import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { formatCmdline } from '../../server/core/boot/kernel-args.ts'
import { planTree } from '../../server/core/boot/plan-tree.ts'
import { run } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { type Host, makeLan } from '../../server/emulator/lan.ts'
import { makeTree } from '../support/boot-inputs.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { guestOf, parse } from '../support/config.ts'
import { unpackPackage } from '../support/lab/apt-package.ts'
import { type Bench, labCache, makeBench } from '../support/lab/lab.ts'

/**
 * live-boot's own scripts and klibc's ipconfig read the command line that a guest gets, and take an address from a DHCP
 * server, in a namespace with two cards. The packages are only unpacked.
 */
const mac = '52:54:00:aa:bb:02'
const tree = makeTree('live', {
  distro: 'debian',
  platforms: { amd64: { kernel: 'live/vmlinuz', initrd: 'live/initrd.img', others: {} } },
  stage2: 'live/filesystem.squashfs',
})
const applets =
  'cat cut egrep grep head hostname ifconfig ip ls mkdir rm sed seq sh sleep tail tee tr uname wc'.split(' ')
const scripts = ['9990-cmdline-old', '9990-networking.sh', '9990-select-eth-device.sh']

/** `Live` of 9990-main.sh up to the network of `do_netmount`. Without udev and modules there is nothing to wait for. */
const script = `modprobe() { :; }
udevadm() { :; }
LIVE_BOOT_CMDLINE=$1
${scripts.map((name) => `. /live/${name}`).join('\n')}
Cmdline_old
Select_eth_device
. /conf/param.conf
do_netsetup
echo "device=$DEVICE"
cat /run/net-*.conf
cat /etc/resolv.conf
`

let bench: Bench

beforeEach(() => {
  requireRoot()
  requireClient('busybox', 'dnsmasq', 'ip')
  bench = makeBench()
  return () => bench.undo.unwind()
})

/** The arguments of a guest with this network. */
function argsOf(network: string): string {
  const guest = guestOf(parse(`guests: { g: { mac: "${mac}", network: ${network} } }`), 'g')
  const plan = planTree(tree, { urls: { http: 'http://192.0.2.1:8080' }, virt: 'hvm', guest })
  if (plan.kind !== 'install') throw new Error(plan.why)
  return formatCmdline(plan.args)
}

/** What live-boot does with arguments, on a machine whose second card is on a network with a DHCP server. */
async function seen(args: string): Promise<string> {
  const lan = makeLan(bench.undo)
  await startDnsmasq(bench.undo, lan.addHost('192.0.2.2'), bench.folder)
  return boot(lan.addHost('192.0.2.9'), args)
}

/** Runs the scripts in a root folder of their own, with the cards eno1 and eno2. */
function boot({ namespace, inside }: Host, args: string): string {
  const ip = (...words: string[]) => run('ip', '-n', namespace, ...words)
  ip('addr', 'flush', 'dev', 'eth0')
  ip('link', 'set', 'eth0', 'down')
  ip('link', 'set', 'eth0', 'name', 'eno2', 'address', mac)
  ip('link', 'add', 'eno1', 'type', 'veth', 'peer', 'name', 'nowhere')
  ip('link', 'set', 'nowhere', 'up')
  const root = initrdRoot(join(bench.folder, 'root'))
  const mounted = `mount --bind /sys '${root}/sys' && exec chroot '${root}' /bin/sh /init "$0"`
  return run(...inside(['unshare', '--mount', '--uts', 'sh', '-c', mounted, args]))
}

function initrdRoot(root: string): string {
  for (const name of ['bin', 'conf', 'dev', 'etc', 'lib', 'live', 'run', 'sys', 'tmp'])
    mkdirSync(join(root, name), { recursive: true })
  copyFileSync(requireClient('busybox'), join(root, 'bin/busybox'))
  for (const name of applets) symlinkSync('busybox', join(root, 'bin', name))
  const from = (name: string, ...place: string[]) => join(unpackPackage(labCache, name), ...place)
  copyFileSync(from('klibc-utils', 'usr/lib/klibc/bin/ipconfig'), join(root, 'bin/ipconfig'))
  const library = readdirSync(from('libklibc', 'lib')).find((name) => name.startsWith('klibc-')) ?? ''
  copyFileSync(from('libklibc', 'lib', library), join(root, 'lib', library))
  for (const name of ['bin/busybox', 'bin/ipconfig', `lib/${library}`]) chmodSync(join(root, name), 0o755)
  for (const name of scripts)
    writeFileSync(join(root, 'live', name), readFileSync(from('live-boot', 'lib/live/boot', name)))
  writeFileSync(join(root, 'conf/initramfs.conf'), 'BOOT=local\n')
  writeFileSync(join(root, 'init'), script)
  return root
}

describe("live-boot's own scripts", () => {
  test.each([
    ['by its name', '{ interface: eno2, nameservers: [192.0.2.53, 192.0.2.54] }', 'ethdevice=eno2'],
    ['by its MAC', '{ nameservers: [192.0.2.53, 192.0.2.54] }', 'BOOTIF=01-52-54-00-aa-bb-02'],
  ])('take the card that the guest has, %s, and its name servers', async (_, network, argument) => {
    const args = argsOf(network)
    const said = await seen(args)
    expect(args).toContain(` ${argument} dns=192.0.2.53,192.0.2.54`)
    expect(said).toMatch(/^device=eno2$/m)
    // Without the argument it asks on each card that has a cable, for 15 seconds.
    expect(said).not.toContain('eno1')
    expect(said).toMatch(/^IPV4ADDR='192\.0\.2\.1\d\d'$/m)
    expect(said).toMatch(/^nameserver 192\.0\.2\.53\nnameserver 192\.0\.2\.54$/m)
  })

  test('ask DHCP whatever ip= says: treeboot refuses a static address', async () => {
    const said = await seen(
      `${argsOf('{ interface: eno2, nameservers: 192.0.2.53 }')} ip=eno2:192.0.2.7:255.255.255.0:192.0.2.1`,
    )
    expect(said).toMatch(/^IPV4ADDR='192\.0\.2\.1\d\d'$/m)
    expect(() => argsOf('{ interface: eno2, address: 192.0.2.7/24 }')).toThrow(/static address/)
  })
})

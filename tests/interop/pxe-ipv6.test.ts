import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import { beforeEach, expect, test } from 'vitest'
import type { LookupResultJson } from '../../server/core/lookup/result.ts'
import { run, startChild } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { type Lan, makeLan } from '../../server/emulator/lan.ts'
import { type MachineFirmware, startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, labInstaller, makeBench, startTreeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

/** UEFI firmware that boots by IPv6, from the lines that `treeboot dhcp-config` prints for DHCPv6. */

const ipxe = '/usr/lib/ipxe/snponly.efi'
/** One file of the package that has OVMF for every x64 machine here. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'
const mac = '52:54:00:aa:bb:01'
const address = 'fd00:db8::1'
const template = `text
%post
printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' {{ report_url | quote }} | \\
  busybox nc -w 5 {{ server.host | regex_replace('[][]', '') }} {{ server.port }}
echo reported by {{ hostname }}
%end
`

interface Case {
  readonly name: string
  readonly firmware: MachineFirmware
  /** By which the loader comes. */
  readonly protocol: 'tftp' | 'http'
  /** Whether the network has no IPv4 at all. */
  readonly ipv6Only: boolean
}

const cases: readonly Case[] = [
  { name: 'PXE without IPv4', firmware: 'uefi-pxe6', protocol: 'tftp', ipv6Only: true },
  // OVMF tries HTTP Boot by IPv4 first, which takes it a minute.
  { name: 'HTTP Boot without IPv4', firmware: 'uefi-http', protocol: 'http', ipv6Only: true },
  { name: 'PXE beside IPv4', firmware: 'uefi-pxe6', protocol: 'tftp', ipv6Only: false },
  { name: 'HTTP Boot beside IPv4', firmware: 'uefi-http', protocol: 'http', ipv6Only: false },
]

/** A change is shown by the first; the nightly run boots them all. */
const booted = env.EVERY_BOOT === undefined ? cases.slice(0, 1) : cases
let bench: Bench

beforeEach(() => {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', ovmf, ipxe)
  bench = makeBench()
  return () => bench.undo.unwind()
})

test.each(booted)(
  '$name: loader, script, kernel, answer file and report',
  async (each) => {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(folder, 'templates/small.ks'), template)
    copyFileSync(ipxe, join(folder, 'tftpboot/snponly.efi'))
    const lan = makeLan(undo)
    run('ip', '-n', lan.namespace, 'addr', 'add', `${address}/64`, 'dev', lan.bridge, 'nodad')
    if (each.ipv6Only) removeIpv4(lan.namespace)
    const args = ['console=ttyS0', 'quiet']
    const web01 = { mac, tree: labTrees.fedora.id, template: 'small.ks', args, vars: { hostname: 'web01' } }
    const config = { server: { bind: '::' }, guests: { web01 } }
    const reached = { ...lan, address: `[${address}]` }
    const treeboot = await startTreeboot(bench, { lan: reached, config, trees: [tree.id] })
    const lines = treeboot.command('dhcp-config', 'dnsmasq', '--address', address)
    await startDhcpServer(bench, lan, lines, each)

    const plan = ['ipxe', 'grub.cfg', 'pxelinux.cfg']
      .map((name) => treeboot.get(`/boot/web01/${name}`))
      .join()
    expect(hostsOf(plan)).toContain(`[${address}]:8080`)
    expect(hostsOf(plan).filter((host) => !host.startsWith(`[${address}]`))).toEqual([])

    const machine = startMachine(
      undo,
      { firmware: each.firmware, mac, memory: 768, network: { tap: lan.addTap() }, folder },
      lan,
    )
    const [, cmdline = ''] = await machine.output.waitFor(/guest: booted with (.*)\n/, 220_000)
    expect(cmdline).toContain(`inst.repo=http://[${address}]:8080/trees/`)
    expect(cmdline).toContain(' ip=auto6 ')
    await machine.output.waitFor(/guest post: reported by web01/, 60_000)
    expect(await machine.ended).toBe(0)
    const { text } = machine.output
    expect(text).toContain(each.ipv6Only ? 'guest: got no address' : 'guest: address 192.0.2.')
    const log = treeboot.child.output.text
    expect(log).toMatch(new RegExp(`${each.protocol}.*snponly\\.efi`))
    expect(log).toMatch(/"client":"fd00:db8::[^"]*","path":"\/ks\/web01","outcome":"complete"/)
    expect(JSON.parse(treeboot.get('/api/v1/guests/web01')).state).toBe('installed')
  },
  400_000,
)

test.runIf(env.EVERY_BOOT !== undefined)(
  'debian-installer without IPv4: it takes its address, and its preseed file, by IPv6',
  async () => {
    const { folder, undo } = bench
    const { kernel, initrd } = await labInstaller('amd64')
    const place = join(folder, 'trees/debian-12/debian-installer/amd64')
    mkdirSync(place, { recursive: true })
    copyFileSync(kernel, join(place, 'linux'))
    copyFileSync(initrd, join(place, 'initrd.gz'))
    const command =
      '(echo; echo preseed loaded by; ip addr show; cat /etc/resolv.conf; echo end) > /dev/ttyS0'
    writeFileSync(join(folder, 'templates/small.preseed'), `d-i preseed/early_command string ${command}\n`)
    const lan = makeLan(undo)
    run('ip', '-n', lan.namespace, 'addr', 'add', `${address}/64`, 'dev', lan.bridge, 'nodad')
    removeIpv4(lan.namespace)
    const guest = { mac, tree: 'debian-12', template: 'small.preseed', args: 'console=ttyS0' }
    const config = { server: { bind: '::' }, guests: { web01: guest } }
    const reached = { ...lan, address: `[${address}]` }
    const treeboot = await startTreeboot(bench, { lan: reached, config, trees: ['debian-12'] })
    // debian-installer asks for a name server where nobody names one.
    await startDhcpServer(bench, lan, `dhcp-option=option6:dns-server,[${address}]`, { ipv6Only: true })
    const { cmdline } = JSON.parse(treeboot.get('/api/v1/lookup?guest=web01')) as LookupResultJson
    const direct = { kernel, initrd, cmdline }
    const network = { tap: lan.addTap() }
    const machine = startMachine(undo, { firmware: 'bios', mac, memory: 1024, network, direct }, lan)
    const [said = ''] = await machine.output.waitFor(/preseed loaded by[\s\S]*?\nend/, 300_000)
    expect(said).toMatch(/inet6 fd00:db8::[0-9a-f:]+\/\d+ scope global/)
    expect(said).toContain(`nameserver ${address}`)
    expect(said).not.toContain('inet 192.')
    await treeboot.child.output.waitFor(
      /"client":"fd00:db8::[^"]*","path":"\/ks\/web01","outcome":"complete"/,
      5000,
    )
  },
  400_000,
)

/** What stands for the host in every URL. */
function hostsOf(text: string): readonly string[] {
  return [...text.matchAll(/[a-z]+:\/\/([^/\s"']*)/g)].map(([, host = '']) => host)
}

/** Leaves no IPv4 address in a namespace, not even that of the loopback interface. */
function removeIpv4(namespace: string): void {
  for (const { ifname } of JSON.parse(run('ip', '-n', namespace, '-json', 'addr')) as { ifname: string }[])
    run('ip', '-n', namespace, '-4', 'addr', 'flush', 'dev', ifname)
  expect(run('ip', '-n', namespace, '-4', 'addr')).toBe('')
}

/** A DHCP server with our lines: one that sends router advertisements and knows DHCPv6, beside IPv4 or without it. */
async function startDhcpServer(
  { folder, undo }: Bench,
  lan: Lan,
  lines: string,
  { ipv6Only }: Pick<Case, 'ipv6Only'>,
) {
  const configFile = join(folder, 'dnsmasq.conf')
  writeFileSync(configFile, `${lines}\ndhcp-range=fd00:db8::100,fd00:db8::1ff,slaac,64,5m\n`)
  const host = lan.addHost('192.0.2.2')
  if (!ipv6Only) return startDnsmasq(undo, host, folder, { configFile })
  removeIpv4(host.namespace)
  const files = [`--conf-file=${configFile}`, `--dhcp-leasefile=${folder}/leases`, `--pid-file=${folder}/pid`]
  const how = ['--keep-in-foreground', '--port=0', '--user=root', '--log-facility=-', '--enable-ra']
  const child = startChild(undo, host.inside(['dnsmasq', ...how, ...files]))
  await child.output.waitFor(/DHCPv6, IP range/, 10_000)
  return child
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { run } from '../../server/emulator/child.ts'
import { type Host, type Lan, makeLan } from '../../server/emulator/lan.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { makeTree } from '../support/tree-folder.ts'

/** `auto: install` for machines that ask by IPv6: the kernel's table of neighbours says which MAC they have. */

const server = 'fd00:db8::1'
const profile = {
  match: { 'mac-prefix': '52:54:00' },
  auto: 'install',
  tree: 'fedora-40',
  template: 'lab.ks',
}
const mac = '52:54:00:00:00:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3731'
let bench: Bench

beforeEach(() => {
  requireRoot()
  requireClient('ip', 'curl')
  bench = makeBench()
  return () => bench.undo.unwind()
})

async function start(lan: Lan): Promise<Treeboot> {
  run('ip', '-n', lan.namespace, 'addr', 'add', `${server}/64`, 'dev', lan.bridge, 'nodad')
  makeTree(join(bench.folder, 'trees/fedora-40'), { version: '40', checksums: false })
  writeFileSync(join(bench.folder, 'templates/lab.ks'), 'clearpart --all\n# {{ report_url }}\n')
  const config = { server: { bind: '::' }, profiles: { lab: profile } }
  return startTreeboot(bench, { lan: { ...lan, address: `[${server}]` }, config, trees: ['fedora-40'] })
}

function withMac(host: Host, address: string): Host {
  run('ip', '-n', host.namespace, 'link', 'set', 'eth0', 'address', address)
  return host
}

/** What a machine at this host gets that says it has the MAC of ours: `install`, or why it boots its disk. */
function boots(host: Host, url: string): string {
  const agent = ['--user-agent', 'iPXE/1.21.1']
  const asked = `${url}/boot/by/${mac}/${uuid}/pxelinux.cfg`
  const text = run(...host.inside(['curl', '--silent', '--globoff', '--max-time', '20', ...agent, asked]))
  return text.includes('LABEL install') ? 'install' : (/^SAY treeboot: (.*)$/m.exec(text)?.[1] ?? text)
}

test('a machine with the MAC that it names is installed, and no other one', async () => {
  const lan = makeLan(bench.undo)
  const host = withMac(lan.addHost('192.0.2.2'), '52:54:00:00:00:02')
  const treeboot = await start(lan)
  expect(boots(host, treeboot.url)).toContain('fd00:db8::2 has the MAC 52:54:00:00:00:02')
  withMac(host, mac)
  // What the kernel believes of the address is that of before.
  run('ip', '-n', lan.namespace, '-6', 'neigh', 'flush', 'dev', lan.bridge)
  expect(boots(host, treeboot.url)).toBe('install')
})

test('a machine behind a router has no MAC that the kernel knows', async () => {
  const lan = makeLan(bench.undo)
  const host = withMac(lan.addHost('192.0.2.2'), mac)
  const treeboot = await start(lan)
  const other = 'fd00:db8:1::7'
  run('ip', '-n', host.namespace, 'addr', 'add', `${other}/128`, 'dev', 'lo')
  run('ip', '-n', host.namespace, 'route', 'replace', `${server}/128`, 'dev', 'eth0', 'src', other)
  run('ip', '-n', lan.namespace, 'route', 'add', `${other}/128`, 'via', 'fd00:db8::2')
  expect(boots(host, treeboot.url)).toContain(`nothing proves that ${other} has the MAC`)
})

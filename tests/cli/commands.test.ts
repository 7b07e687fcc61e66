import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CliResult, treebootIn } from '../support/cli.ts'
import { keptFolder, makeTree, writeBelow } from '../support/tree-folder.ts'

let home: ReturnType<typeof keptFolder>
beforeEach(() => {
  home = keptFolder()
})
afterEach(() => home.remove())

const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

test('--version after lookup is that of the tree, before a command that of treeboot', async () => {
  for (const version of ['40', '41'])
    makeTree(join(home.path, `trees/fedora-${version}`), { version, checksums: false })
  const found = await treeboot('lookup', '--distro', 'fedora', '--version', '40')
  expect(JSON.parse(found.out)).toMatchObject({ tree: { id: 'fedora-40' } })
  expect((await treeboot('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('adopt refuses a machine that is a guest already, and names the guest', async () => {
  writeBelow(home.path, 'config.yaml', 'guests:\n  web01: { mac: 52-54-00-aa-bb-01 }\n')
  const { code, err } = await treeboot('adopt', '52:54:00:aa:bb:01', '--name', 'web02')
  expect(code).not.toBe(0)
  expect(err).toMatch(/52:54:00:aa:bb:01 is guest web01 already, defined at .*config\.yaml:2/)
})

test('check makes the answer file of every guest', async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home.path, 'kickstart-templates/bad.ks', 'ok\nx {{ nope }}\n')
  writeBelow(home.path, 'kickstart-templates/good.ks', 'x {{ guest.name }}\n')
  const guests = ['t1: { template: bad.ks }', 't2: { template: bad.ks }', 't3: { template: good.ks }']
  writeBelow(home.path, 'config.yaml', `guests:\n${guests.map((line) => `  ${line}\n`).join('')}`)
  const { out } = await treeboot('check')
  expect(out).toMatch(
    /ERROR +.*config\.yaml:2.*: guest t1 and 1 more cannot be installed: its answer file .*bad\.ks.*2.*nope/,
  )
  expect(out).not.toContain('guest t3')
})

test('check names the links that lead out of the folders and are therefore not served', async () => {
  makeTree(join(home.path, 'elsewhere/fedora-40'), { version: '40', checksums: false })
  makeTree(join(home.path, 'trees/fedora-41'), { version: '41', checksums: false })
  writeBelow(home.path, 'tftpboot/pxelinux.0', 'loader')
  const link = (target: string, path: string) => symlinkSync(target, join(home.path, path))
  link('../elsewhere/fedora-40', 'trees/linked')
  link('fedora-41', 'trees/latest')
  link('nowhere', 'trees/fedora-41/upstream')
  link('/etc/hostname', 'tftpboot/name')
  link('pxelinux.0', 'tftpboot/bios.0')
  const { out } = await treeboot('check', '--json')
  const told: { where: string; message: string }[] = JSON.parse(out)
  expect(
    told
      .filter(({ message }) => message.startsWith('leads '))
      .map(({ where, message }) => `${where} ${message}`),
  ).toEqual([
    expect.stringMatching(/trees\/linked leads out of this folder, and is not followed: \.\.\/elsewhere/),
    expect.stringMatching(/tftpboot\/name leads out of this folder, and is not followed: \/etc\/hostname/),
  ])
})

test('an error of the system is printed without a stack trace', async () => {
  writeBelow(home.path, 'config.yaml', 'paths: { trees: trees }\n')
  writeBelow(home.path, 'trees/.treeboot', 'a file where a folder must be')
  makeTree(join(home.path, 'from'), { version: '40', checksums: false })
  const { code, err } = await treeboot('import', 'from')
  expect(code).toBe(1)
  expect(err).toMatch(/^treeboot: E[A-Z]+: .*\n$/)
})

test('trees gc lists unfinished imports, and deletes old ones', async () => {
  writeBelow(home.path, 'config.yaml', 'paths: { trees: trees }\n')
  mkdirSync(join(home.path, 'trees'))
  writeBelow(home.path, 'nothing/readme', 'no tree')
  expect((await treeboot('import', 'nothing')).code).not.toBe(0)
  expect((await treeboot('trees', 'gc')).out).toMatch(
    /stays +unfinished +- .*of .*\/nothing\n.*nothing to delete/s,
  )
  const jobs = () => readdirSync(join(home.path, 'trees/.treeboot/incoming'))
  expect(jobs()).toHaveLength(1)
  expect((await treeboot('trees', 'gc', '--now', '--delete')).out).toContain('1 unfinished import')
  expect(jobs()).toHaveLength(0)
})

describe('dhcp-config leaves out what cannot work', () => {
  const loaders = ['undionly.kpxe', 'snponly.efi']
  beforeEach(() => {
    for (const name of loaders) writeBelow(home.path, `tftpboot/${name}`, 'loader')
  })
  const configured = async (config: string, ...args: string[]) => {
    writeFileSync(join(home.path, 'config.yaml'), config)
    return treeboot('dhcp-config', 'dnsmasq', ...args)
  }

  test.each([
    ['banana', 'is not an IP address'],
    ['::1', 'other machines'],
    ['::', 'other machines'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
  ])('an address like %s is refused', async (address, why) => {
    const { code, out, err } = await configured('', '--address', address)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(address)
    expect(err).toContain(why)
  })

  test('for an IPv6 address it prints DHCPv6, with URLs of that address, and nothing for a BIOS', async () => {
    const { out } = await configured('', '--address', '2001:DB8:0::1')
    expect(out).toContain('option6:bootfile-url,tftp://[2001:db8::1]/snponly.efi')
    expect(out).toContain('option6:bootfile-url,http://[2001:db8::1]:8080/snponly.efi')
    expect(out).not.toContain('undionly')
  })

  test('the URL of firmware has the address also where server.url has a name, which EDK2 does not look up', async () => {
    const { out } = await configured('server: { url: "http://boot.example" }\n', '--address', '2001:db8::1')
    expect(out).toContain('tftp://[2001:db8::1]/snponly.efi')
    expect(out).toContain('http://boot.example/boot.ipxe')
  })

  test('without HTTP it prints no URL, and says why', async () => {
    const { out, err } = await configured('http: { enabled: false }\n', '--address', '192.0.2.1')
    expect(err).toContain('http.enabled is false: UEFI HTTP Boot is left out')
    expect(out).not.toContain('http://')
    expect(out).toContain('tftp://192.0.2.1/boot.ipxe')
    expect(out).toContain('undionly.kpxe')
  })

  test('with TFTP on another port it prints no file for TFTP, and says why', async () => {
    const { out, err } = await configured('tftp: { port: 16969 }\n', '--address', '192.0.2.1')
    expect(err).toContain('tftp.port is 16969: everything that loads by TFTP is left out')
    expect(out).not.toContain('undionly.kpxe')
    expect(out).toContain('http://192.0.2.1:8080/snponly.efi')
  })

  test('with neither it fails', async () => {
    const { code, err } = await configured('http: { port: 0 }\ntftp: { enabled: false }\n')
    expect(code).toBe(2)
    expect(err).toContain('machines can load nothing from treeboot: http.port is 0')
  })
})

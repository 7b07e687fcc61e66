import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treebootIn } from '../../support/cli.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** A folder with one guest of this definition, and what `check`, `explain` and `lookup` say of it. */
async function said(url: string | undefined, guest: string) {
  const cwd = temporaryFolder()
  const server = url === undefined ? '' : `server: { url: "${url}" }\n`
  writeBelow(cwd, 'config.yaml', `${server}guests:\n  a: { tree: fedora-40, template: small.ks, ${guest} }\n`)
  writeBelow(cwd, 'kickstart-templates/small.ks', 'text\n')
  makeTree(join(cwd, 'trees/fedora-40'), { version: '40', checksums: false })
  const check = await treebootIn(cwd, 'check')
  return {
    check: check.out,
    code: check.code,
    explain: (await treebootIn(cwd, 'explain', 'a')).out,
    lookup: (await treebootIn(cwd, 'lookup', '--guest', 'a', '--as', 'env')).err,
  }
}

test.each([
  [
    'a name without a name server',
    'http://mirror.lan:8080',
    'network: { address: 10.0.0.12/24 }',
    /mirror\.lan.*no name server/,
  ],
  [
    'IPv4, and IPv6 alone',
    'http://192.0.2.1:8080',
    'network: { address: "2001:db8::3/64" }',
    /192\.0\.2\.1.*IPv6 address alone/,
  ],
  [
    'the same by vars',
    'http://192.0.2.1:8080',
    'ip: "2001:db8:5::17", vars: { gateway: "2001:db8:5::1", prefix: 64, nameservers: ["2001:db8:5::53"] }',
    /IPv6 address alone/,
  ],
  [
    'no gateway',
    'http://192.0.2.1:8080',
    'network: { address: 10.0.0.12/24 }',
    /outside of the network of 10\.0\.0\.12\/24/,
  ],
])('a guest that surely does not reach the URL is an error: %s', async (_, url, guest, why) => {
  const { check, code, explain, lookup } = await said(url, guest)
  expect(code).toBe(2)
  expect(check).toMatch(/^ERROR +config\.yaml:3.*: guest a cannot be installed: /m)
  expect(check).toMatch(why)
  expect(explain.split('\n').find((line) => line.startsWith('plan'))).toMatch(/^plan +refuse /)
  expect(explain).toMatch(why)
  expect(lookup).toMatch(why)
})

test.each([
  [
    'DHCP on another interface',
    'network: { interfaces: [{ name: lan0, address: 10.0.0.12/24 }, { name: lan1 }] }',
    /lan1 reaches and lan0 does not/,
  ],
  ['arguments that contradict each other', 'args: ["ip=dhcp", "ip=eth0:dhcp"]', /ip=dhcp and ip=eth0:dhcp/],
])('what is in doubt is a warning: %s', async (_, guest, why) => {
  const { check, explain, lookup } = await said('http://192.0.2.1:8080', guest)
  expect(check).toMatch(/^warning +config\.yaml:3.*: guest a: /m)
  expect(check).not.toContain('cannot be installed')
  expect(check).toMatch(why)
  expect(explain).toMatch(why)
  expect(lookup).toMatch(why)
})

test('without server.url nobody knows by which address the machine will come', async () => {
  const { check } = await said(undefined, 'network: { address: "2001:db8::3/64" }')
  expect(check).not.toMatch(/cannot be installed|IPv6 address alone/)
})

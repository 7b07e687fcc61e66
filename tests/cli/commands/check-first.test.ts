import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../server/config/problems.ts'
import { httpOnly, quickApp } from '../../support/app.ts'
import { treebootIn } from '../../support/cli.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** What `check` finds before it hurts. */

function home(config: string): string {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', config)
  makeTree(join(cwd, 'trees/fedora-40'))
  const shipped = join(import.meta.dirname, '../../../kickstart-templates')
  cpSync(shipped, join(cwd, 'kickstart-templates'), { recursive: true })
  return cwd
}

const check = async (config: string) => (await treebootIn(home(config), 'check')).out

describe('services that cannot open', () => {
  test.each([
    [
      'two services on one port',
      'http: { port: 2121 }\nftp: { port: 2121 }',
      '2:14: ftp.port: http and ftp cannot',
    ],
    ['the default of the other', 'nfs: { port: 8080 }', '1:14: nfs.port: http and nfs cannot'],
    [
      'one address and all',
      'http: { port: 99, bind: 127.0.0.1 }\nnfs: { port: 99 }',
      '2:14: nfs.port: http and nfs cannot',
    ],
    [
      'two of datagrams',
      'tftp: { port: 67 }\ndhcp: { mode: proxy, port: 67 }',
      '2:28: dhcp.port: tftp and dhcp',
    ],
    [
      'a certificate that is not there',
      'ftp: { tls: { certificate: nope.pem, key: nope.key } }',
      '1:28: ftp.tls.certificate: ',
    ],
    [
      'a key that is not there',
      'ftp: { tls: { certificate: config.yaml, key: nope.key } }',
      '1:46: ftp.tls.key: ',
    ],
    [
      'files that are no certificate',
      'ftp: { tls: { certificate: kickstart-templates/fedora.ks, key: kickstart-templates/fedora.ks } }',
      'ftp.tls: certificate and key cannot be used',
    ],
  ])('%s', async (_, config, problem) => {
    const cwd = home(`${config}\n`)
    const { code, out } = await treebootIn(cwd, 'check')
    expect(out).toContain(problem)
    expect(code).toBe(2)
    // A start is refused with the same words.
    const app = quickApp({ cwd })
    const error = await app.start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    await app.stop()
    expect(error).toBeInstanceOf(ConfigError)
    expect(String(error)).toContain(problem.slice(problem.indexOf(' ') + 1))
  })

  test.each([
    'http: { port: 2121 }\nftp: { port: 2121, enabled: false }',
    'http: { port: 2121, bind: 127.0.0.1 }\nftp: { port: 2121, bind: 127.0.0.2 }',
    'http: { port: 0 }\nftp: { port: 0 }\nnfs: { port: 0 }',
    'http: { port: 2121 }\ntftp: { port: 2121 }',
    'http: { port: 21 }\nftp: { port: auto }',
    'ftp: { enabled: false, tls: { certificate: nope.pem, key: nope.key } }',
    'dhcp: { mode: off, interfaces: [br9] }',
  ])('%s is right', async (config) => {
    expect(await check(`${config}\n`)).toBe('nothing is wrong\n')
  })

  test('an interface that this machine does not have is a warning with its line', async () => {
    const out = await check('dhcp:\n  mode: proxy\n  interfaces: [lo, br9]\n')
    expect(out).toMatch(
      /warning +config\.yaml:3:20: dhcp\.interfaces\[1\]: this machine has no interface br9/,
    )
    expect(out).not.toContain('interface lo')
    expect(await check('dhcp: { mode: proxy, interfaces: l0 }\n')).toContain("did you mean 'lo'?")
  })
})

describe('variables that no template reads', () => {
  const guests = (vars: string, more = '') =>
    `${httpOnly}profiles:\n  base: { template: fedora.ks, tree: fedora-40 }\nguests:\n  web01: { profile: base, vars: { ${vars} } }\n${more}`

  test.each([
    ['hostnmae: web01', 'hostnmae', "did you mean 'hostname'?"],
    ['root_pasword: x', 'root_pasword', "did you mean 'root_password'?"],
    ['root_password_hsah: "$6$x"', 'root_password_hsah', "did you mean 'root_password_hash'?"],
    ['timezon: UTC', 'timezon', "did you mean 'timezone'?"],
    ['colour_of_the_room: red', 'colour_of_the_room', 'remove it, or read it in the template'],
  ])('%s', async (vars, name, remedy) => {
    const out = await check(guests(vars))
    expect(out).toMatch(
      new RegExp(
        `warning +config\\.yaml:10: guest web01 \\(config\\.yaml:10\\): no template reads the variable ${name}`,
      ),
    )
    expect(out).toContain(remedy)
  })

  test.each([
    'hostname: web01.example',
    'timezone: UTC',
    'root_password_hash: "$6$abc$def"',
    'ssh_keys: ["ssh-ed25519 AAAA me"]',
  ])('%s is read by the template or one of its snippets', async (vars) => {
    expect(await check(guests(vars))).toBe('nothing is wrong\n')
  })

  test.each([
    ['is read where the vars are the network of a guest', 'ip: "2001:db8:5::17", ', [] as string[]],
    ['is not where there is no ip', '', ['prefix', 'nameservers']],
    ['is not beside network', 'network: { address: 10.0.0.5/24 }, ', ['prefix', 'nameservers']],
  ])('prefix, like nameservers, %s', async (_name, more, unread) => {
    const vars = 'gateway: "2001:db8:5::1", prefix: 64, nameservers: ["2001:db8:5::53"]'
    const out = await check(guests(vars).replace('web01: {', `web01: { ${more}`))
    expect([...out.matchAll(/no template reads the variable (\w+)/g)].map(([, name]) => name)).toEqual(unread)
  })

  test('a variable of a profile is read if one guest of the profile has a template that reads it', async () => {
    const config = `${httpOnly}profiles:
  base: { tree: fedora-40, vars: { only_here: 1, nowhere: 2 } }
guests:
  a: { profile: base, template: fedora.ks }
  b: { profile: base, template: own.ks }
`
    const cwd = home(config)
    writeBelow(cwd, 'kickstart-templates/own.ks', '{{ vars.only_here }}\n')
    const { out } = await treebootIn(cwd, 'check')
    expect(out).toContain('profile base (config.yaml:8): no template reads the variable nowhere')
    expect(out).not.toContain('only_here')
  })

  test.each([
    '{% for name in vars %}{{ name }}{% endfor %}',
    '{{ vars[guest.name] }}',
    "{% include 'snippets/' ~ 'x' ignore missing %}",
  ])('a template that may read any variable warns of none: %s', async (template) => {
    const cwd = home(guests('anything: 1').replace('fedora.ks', 'own.ks'))
    writeBelow(cwd, 'kickstart-templates/own.ks', template)
    expect((await treebootIn(cwd, 'check')).out).not.toContain('no template reads')
  })
})

describe('a tree of which nothing tells the architecture', () => {
  const pair = ['casper/vmlinuz', 'casper/initrd', 'casper/minimal.squashfs']
  const checked = async (id: string, guests = '') => {
    const cwd = home(guests === '' ? '' : `guests:\n${guests}`)
    for (const file of pair) writeBelow(cwd, `trees/${id}/${file}`, file)
    return (await treebootIn(cwd, 'check')).out
  }

  test('is a warning that says what to do, and which guests would get it', async () => {
    const out = await checked(
      'noble',
      '  web: { tree: noble }\n  db: { tree: noble }\n  old: { tree: fedora-40 }\n',
    )
    expect(out).toMatch(
      /warning {2}trees\/noble: the architecture of tree noble is not known: .* the header of casper\/vmlinuz tells it; guests web, db would boot it on any processor\n.*fedora-40-x86_64/,
    )
    expect(await checked('noble')).toContain('the header of casper/vmlinuz tells it\n')
  })

  test('is none when its name tells it', async () => {
    expect(await checked('noble-amd64')).not.toContain('is not known')
  })
})

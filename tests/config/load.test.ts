import { describe, expect, test } from 'vitest'
import { guestOf, parse, refusal } from '../support/config.ts'
import { stating } from '../support/stating.ts'

/** The example that operators write first. Its keys must not change. */
const promised = `
server: { bind: '::', url: http://mirror.example:8080 }
http:   { port: 8080 }
tftp:   { port: auto }
ftp:    { port: auto }
nfs:    { port: auto }
dhcp:   { mode: off }
paths:  { trees: ./trees, tftpboot: ./tftpboot, templates: ./kickstart-templates, data: ./data }
profiles:
  base: { args: ["console=ttyS0"], vars: { timezone: Etc/UTC } }
  web:
    inherits: base
    tree: { distro: fedora, version: "40", arch: x86_64 }
    template: fedora.ks
guests:
  web01:
    mac: 52:54:00:aa:bb:01
    profile: web
    vars: { hostname: web01.example }
    virt: { hypervisor: kvm, type: hvm, memory: 2048, vcpus: 2, disk: 20, network: "bridge=br0" }
`

describe('the first example', () => {
  const loaded = parse(promised)

  test('gives the guest all that it inherits, each value with its origin', () => {
    const { macs, profiles, settings, definedAt } = guestOf(loaded, 'web01')
    expect({ macs, profiles, definedAt }).toEqual({
      macs: ['52:54:00:aa:bb:01'],
      profiles: ['web', 'base'],
      definedAt: 'config.yaml:16',
    })
    expect(settings).toEqual({
      tree: {
        value: { distro: 'fedora', version: '40', arch: 'x86_64' },
        from: 'profile web (config.yaml:13)',
      },
      template: { value: 'fedora.ks', from: 'profile web (config.yaml:14)' },
      args: [{ value: 'console=ttyS0', from: 'profile base (config.yaml:10)' }],
      vars: {
        timezone: { value: 'Etc/UTC', from: 'profile base (config.yaml:10)' },
        hostname: { value: 'web01.example', from: 'guest web01 (config.yaml:19)' },
      },
      virt: {
        hypervisor: { value: 'kvm', from: 'guest web01 (config.yaml:20)' },
        type: { value: 'hvm', from: 'guest web01 (config.yaml:20)' },
        memory: { value: 2048, from: 'guest web01 (config.yaml:20)' },
        vcpus: { value: 2, from: 'guest web01 (config.yaml:20)' },
        disk: { value: 20, from: 'guest web01 (config.yaml:20)' },
        network: { value: 'bridge=br0', from: 'guest web01 (config.yaml:20)' },
      },
      source: { value: 'http', from: 'default' },
      retry: { value: false, from: 'default' },
    })
    expect(loaded.problems).toEqual([])
  })

  test('has the default of every key that the file does not set', () => {
    const { server, ...config } = loaded.config
    const { server: _, ...defaults } = parse('').config
    expect(config).toEqual(defaults)
    expect(server).toEqual({ bind: '::', names: [], url: 'http://mirror.example:8080', stopGraceMs: 60_000 })
  })
})

describe('defaults', () => {
  test.each(['', '---\n', '# nothing\n', 'guests:\nprofiles:\nhttp:\n', '\uFEFF# BOM\r\nhttp:\r\n', '{}'])(
    '%j gives every key its default',
    (text) => {
      const { config, guests, profiles } = parse(text)
      expect(guests).toEqual([])
      expect(profiles.size).toBe(0)
      expect(config).toEqual({
        file: '/srv/treeboot/config.yaml',
        server: { bind: '::', names: [], stopGraceMs: 60_000 },
        access: { anonymous: 'none', session: { idleMs: 1_800_000, maxMs: 43_200_000 }, metrics: [] },
        http: {
          enabled: true,
          bind: '::',
          port: 8080,
          fastPath: true,
          connectionsPerClient: 512,
          requestsPerClient: 64,
          trustedProxies: [],
        },
        tftp: { enabled: true, bind: '::', port: 'auto' },
        ftp: { enabled: true, bind: '::', port: 'auto' },
        nfs: { enabled: true, bind: '::', port: 'auto' },
        syslog: { enabled: false, bind: '::', port: 'auto' },
        dhcp: {
          enabled: false,
          bind: '::',
          port: 'auto',
          mode: 'off',
          interfaces: [],
          knownOnly: false,
          loader: 'auto',
        },
        paths: {
          trees: '/srv/treeboot/trees',
          tftpboot: '/srv/treeboot/tftpboot',
          templates: '/srv/treeboot/kickstart-templates',
          data: '/srv/treeboot/data',
        },
        limits: {},
        reports: {},
        boots: { keepMs: 90 * 86_400_000 },
        state: { witness: ['/srv/treeboot/trees/.treeboot/store-witness.json'] },
        mirrors: [],
        verify: { keys: [], requireSignature: false },
        import: {},
        webhooks: [],
        imports: { allow: [] },
        unknown: 'menu',
        menuTimeoutMs: 30_000,
      })
    },
  )

  test('a service binds to the address of the server unless it has its own', () => {
    const { config } = parse('server: { bind: "::" }\nftp: { bind: 127.0.0.1, port: 0, enabled: false }')
    expect(config.http.bind).toBe('::')
    expect(config.ftp).toEqual({ enabled: false, bind: '127.0.0.1', port: 0 })
  })

  test('the size that an archive may be unpacked to is in GiB', () => {
    expect(parse('import: { max-unpacked: 4 }').config.import).toEqual({ maxUnpackedBytes: 4 * 2 ** 30 })
  })

  test('DHCP is on with a mode, and off with enabled: false', () => {
    const { dhcp } = parse(
      'dhcp: { mode: proxy, interfaces: br0, known-only: true, loader: grub, port: 6767 }',
    ).config
    expect(dhcp).toMatchObject({
      mode: 'proxy',
      enabled: true,
      interfaces: ['br0'],
      knownOnly: true,
      loader: 'grub',
      port: 6767,
    })
    expect(parse('dhcp: { mode: proxy, enabled: false }').config.dhcp.mode).toBe('off')
  })

  test('server.url loses its trailing slash and keeps its path', () => {
    expect(parse('server: { url: "https://m.example/boot/" }').config.server.url).toBe(
      'https://m.example/boot',
    )
  })
})

describe('numbers keep their spelling', () => {
  test.each([
    ['40', '40'],
    ['9.10', '9.10'],
    ['9.0', '9.0'],
    ['"40"', '40'],
    ['007', '007'],
    ['0x1F', '0x1F'],
    ['1e3', '1e3'],
    ['24.04', '24.04'],
    ['2_0', '2_0'],
    ['.5', '.5'],
    ['12345678901234567890123', '12345678901234567890123'],
  ])('version: %s is %s', (written, version) => {
    const loaded = parse(`guests: { a: { tree: { distro: Fedora, version: ${written} } } }`)
    expect(guestOf(loaded, 'a').settings.tree?.value).toEqual({ distro: 'fedora', version })
  })

  test.each([
    ['001122334455', '00:11:22:33:44:55'],
    ['525400112233', '52:54:00:11:22:33'],
    ['52:54:00:11:22:33', '52:54:00:11:22:33'],
    ['10:20:30:40:50:10', '10:20:30:40:50:10'],
    ['52-54-00-AA-BB-01', '52:54:00:aa:bb:01'],
    ['52540011e223', '52:54:00:11:e2:23'],
    ['525400.aabb01', undefined],
    ['5254.00aa.bb01', '52:54:00:aa:bb:01'],
  ])('mac: %s', (written, mac) => {
    if (mac === undefined) expect(refusal(`guests: { a: { mac: ${written} } }`)).toContain('MAC')
    else expect(guestOf(parse(`guests: { a: { mac: ${written} } }`), 'a').macs).toEqual([mac])
  })

  test('vars keep a number if it prints as written, and otherwise its text', () => {
    const { vars } = guestOf(
      parse('guests: { a: { vars: { n: 3, v: 9.10, t: true, z: ~, l: [1, 01] } } }'),
      'a',
    ).settings
    expect(Object.fromEntries(Object.entries(vars).map(([key, { value }]) => [key, value]))).toEqual({
      n: 3,
      v: '9.10',
      t: true,
      z: null,
      l: [1, '01'],
    })
  })

  test('a file with a YAML 1.1 directive is read in the same way', () => {
    const text =
      '%YAML 1.1\n---\nguests: { a: { mac: 10:20:30:40:50:10, serial: 2024-01-02, vars: { t: 1:30 } } }'
    const { macs, serial, settings } = guestOf(parse(text), 'a')
    expect([macs, serial, settings.vars.t?.value]).toEqual([['10:20:30:40:50:10'], '2024-01-02', '1:30'])
  })

  test('names may look like numbers', () => {
    expect(guestOf(parse('guests: { 040: {}, 1.50: {} }'), '1.50').name).toBe('1.50')
  })
})

describe('inheritance', () => {
  test('later profiles win, a shared ancestor counts once, and args are in order from the root', () => {
    const loaded = parse(`
profiles:
  root: { args: [r], source: ftp }
  left: { inherits: root, args: [l], source: nfs, vars: { x: left } }
  right: { inherits: root, args: [q], vars: { x: right } }
guests:
  g: { profile: [left, right], args: [g, -l, "-r=1"] }`)
    const { settings, profiles } = guestOf(loaded, 'g')
    expect(profiles).toEqual(['right', 'left', 'root'])
    expect(settings.args.map(({ value }) => value)).toEqual(['r', 'q', 'g'])
    expect(settings.source.value).toBe('nfs')
    expect(settings.vars.x).toEqual({ value: 'right', from: 'profile right (config.yaml:5)' })
    expect(loaded.problems).toEqual([
      {
        severity: 'warning',
        where: 'config.yaml:7:46',
        message: "guests.g.args[2]: '-r=1' removes nothing",
        remedy: "no inherited profile has 'r=1', and treeboot itself adds no such argument",
      },
    ])
  })

  test('a list may have several lines, and each value has its own as origin', () => {
    const { args } = guestOf(parse('guests:\n  a:\n    args:\n      - one\n\n      - two=2'), 'a').settings
    expect(args.map(({ from }) => from)).toEqual(['guest a (config.yaml:4)', 'guest a (config.yaml:6)'])
  })

  test('type pv implies the hypervisor xen', () => {
    const { virt } = guestOf(parse('guests: { a: { virt: { type: pv } } }'), 'a').settings
    expect(virt.hypervisor).toEqual({ value: 'xen', from: 'default for type pv' })
  })

  test('2,000 profiles load', () => {
    const lines = ['profiles:', '  p0: { args: [zero] }']
    for (let i = 1; i < 2_000; i++) lines.push(`  p${i}: { inherits: p0 }`)
    lines.push('guests: { g: { profile: p1999 } }')
    expect(guestOf(parse(lines.join('\n')), 'g').settings.args.map(({ value }) => value)).toEqual(['zero'])
  })
})

describe('an odd but harmless setting is a warning with its place:', () => {
  test.each([
    ['{ serial: To Be Filled By O.E.M. }', ['guests.a.serial', "'To Be Filled By O.E.M.'"]],
    [
      '{ uuid: 00000000-0000-0000-0000-000000000000 }',
      ['guests.a.uuid', "'00000000-0000-0000-0000-000000000000'"],
    ],
    ['{ vars: { host-name: x } }', ['guests.a.vars.host-name', 'template']],
    ['{ args: [a, -b] }', ['guests.a.args[1]', "'-b'"]],
  ])('%s', (body, facts) => {
    const [warning, ...more] = parse(`guests: { a: ${body} }`).problems
    expect(more).toEqual([])
    expect(`${warning?.where} ${warning?.message}`).toMatch(/^config\.yaml:1:\d+ /)
    expect(warning?.message).toMatch(stating(...facts))
    expect(warning?.severity).toBe('warning')
  })
})

describe('boots.keep', () => {
  test.each([
    ['1h', 3_600_000],
    ['36h', 36 * 3_600_000],
    ['90d', 90 * 86_400_000],
  ])('%s', (written, ms) => {
    expect(parse(`boots: { keep: ${written} }`).config.boots.keepMs).toBe(ms)
  })

  test.each(['0d', '30m', '3651d', '5', 'always'])('%s is refused', (written) => {
    expect(() => parse(`boots: { keep: ${written} }`)).toThrow(/boots\.keep.*90d or 36h/)
  })
})

describe('server.stop-grace', () => {
  test.each([
    ['60s', 60_000],
    ['0s', 0],
    ['2m', 120_000],
    ['"1h"', 3_600_000],
    ['90 s', 90_000],
  ])('%s', (written, ms) => {
    expect(parse(`server: { stop-grace: ${written} }`).config.server.stopGraceMs).toBe(ms)
  })

  // A bare number may have been meant in any unit.
  test.each(['60', '2h', '61m', '1d', '-1s', 'soon', '1.5m', 'true', '[60s]'])('%s is refused', (written) => {
    expect(() => parse(`server: { stop-grace: ${written} }`)).toThrow(
      /server\.stop-grace.*60s or 2m, at most 1h/,
    )
  })
})

test('imports.allow has URLs without passwords, and absolute paths', () => {
  const { config } = parse('imports:\n  allow: [http://mirror.lan/pub, /srv/isos]\n')
  expect(config.imports.allow).toEqual(['http://mirror.lan/pub', '/srv/isos'])
  expect(parse('imports: { allow: /srv }\n').config.imports.allow).toEqual(['/srv'])
  for (const wrong of ['isos', '~/isos', 'file:///etc', 'http://u:p@a/', 'http://a/%2e%2e%2f'])
    expect(refusal(`imports: { allow: "${wrong}" }\n`)).toContain('without a password, or an absolute path')
})

test('a key of import in imports, and the reverse, is told where it belongs', () => {
  expect(refusal('import: { allow: /srv }\n')).toContain('it is imports.allow, of another section')
  expect(refusal('imports: { max-unpacked: 1 }\n')).toContain('it is import.max-unpacked, of another section')
})

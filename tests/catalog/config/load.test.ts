import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type LoadedConfig, loadConfigFile, parseConfig } from '../../../server/catalog/config/load.ts'
import { ConfigError } from '../../../server/catalog/config/problems.ts'

const parse = (text: string) => parseConfig(text, 'config.yaml', '/srv/treeboot')

function refusal(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

const guest = (loaded: LoadedConfig, name: string) => {
  const found = loaded.guests.find((candidate) => candidate.name === name)
  if (!found) throw new Error(`no guest ${name}`)
  return found
}

/** The shape that operators were promised. */
const promised = `
server: { bind: 0.0.0.0, url: http://mirror.example:8080 }
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

describe('the promised shape', () => {
  const loaded = parse(promised)

  test('gives the guest with everything it inherits, each value with its origin', () => {
    const { macs, profiles, settings, definedAt } = guest(loaded, 'web01')
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
    expect(loaded.warnings).toEqual([])
  })

  test('says nothing but the defaults', () => {
    const { server, ...config } = loaded.config
    const { server: _, ...defaults } = parse('').config
    expect(config).toEqual(defaults)
    expect(server).toEqual({ bind: '0.0.0.0', url: 'http://mirror.example:8080' })
  })
})

describe('defaults', () => {
  test.each(['', '---\n', '# nothing\n', 'guests:\nprofiles:\nhttp:\n', '\uFEFF# BOM\r\nhttp:\r\n', '{}'])(
    '%j is all default',
    (text) => {
      const { config, guests, profiles } = parse(text)
      expect(guests).toEqual([])
      expect(profiles.size).toBe(0)
      expect(config).toEqual({
        file: '/srv/treeboot/config.yaml',
        server: { bind: '0.0.0.0' },
        http: { enabled: true, bind: '0.0.0.0', port: 8080 },
        tftp: { enabled: true, bind: '0.0.0.0', port: 'auto' },
        ftp: { enabled: true, bind: '0.0.0.0', port: 'auto' },
        nfs: { enabled: true, bind: '0.0.0.0', port: 'auto' },
        dhcp: {
          enabled: false,
          bind: '0.0.0.0',
          port: 'auto',
          mode: 'off',
          interfaces: [],
          knownOnly: false,
        },
        paths: {
          trees: '/srv/treeboot/trees',
          tftpboot: '/srv/treeboot/tftpboot',
          templates: '/srv/treeboot/kickstart-templates',
          data: '/srv/treeboot/data',
        },
        unknown: 'menu',
        menuTimeoutMs: 30_000,
      })
    },
  )

  test('a door binds where the server binds unless it says otherwise', () => {
    const { config } = parse('server: { bind: "::" }\nftp: { bind: 127.0.0.1, port: 0, enabled: false }')
    expect(config.http.bind).toBe('::')
    expect(config.ftp).toEqual({ enabled: false, bind: '127.0.0.1', port: 0 })
  })

  test('the proxy opens by its mode and closes by enabled: false', () => {
    const { dhcp } = parse('dhcp: { mode: proxy, interfaces: br0, known-only: true, port: 6767 }').config
    expect(dhcp).toMatchObject({
      mode: 'proxy',
      enabled: true,
      interfaces: ['br0'],
      knownOnly: true,
      port: 6767,
    })
    expect(parse('dhcp: { mode: proxy, enabled: false }').config.dhcp.mode).toBe('off')
  })

  test('the url loses its trailing slash and keeps its folder', () => {
    expect(parse('server: { url: "https://m.example/boot/" }').config.server.url).toBe(
      'https://m.example/boot',
    )
  })
})

describe('numbers keep the spelling they were written with', () => {
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
    expect(guest(loaded, 'a').settings.tree?.value).toEqual({ distro: 'fedora', version })
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
    if (mac === undefined) expect(refusal(`guests: { a: { mac: ${written} } }`)).toContain('expected a MAC')
    else expect(guest(parse(`guests: { a: { mac: ${written} } }`), 'a').macs).toEqual([mac])
  })

  test('vars keep numbers that print as written, and the text of those that do not', () => {
    const { vars } = guest(
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

  test('names may look like numbers', () => {
    expect(guest(parse('guests: { 040: {}, 1.50: {} }'), '1.50').name).toBe('1.50')
  })
})

describe('names of the language itself are only names', () => {
  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('%s', (name) => {
    const loaded = parse(`profiles: { ${name}: { args: [a] } }\nguests: { ${name}: { profile: ${name} } }`)
    expect(guest(loaded, name).profiles).toEqual([name])
    expect(refusal(`guests: { a: { profile: ${name} } }`)).toContain(`there is no profile '${name}'`)
    expect(refusal(`${name}: 1`)).toContain('unknown key')
  })

  test('__proto__ is refused wherever it stands', () => {
    expect(refusal('__proto__: { http: 1 }')).toContain('1:1 a key must be a plain name')
    expect(refusal('guests: { a: { vars: { __proto__: { x: 1 } } } }')).toContain(
      'a key must be a plain name',
    )
  })
})

describe('hostile YAML costs one error', () => {
  test('aliases of aliases of aliases', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
    for (let i = 0; i < 12; i++) {
      const previous = String.fromCharCode(97 + i)
      const next = String.fromCharCode(98 + i)
      lines.push(`${next}: &${next} [${`*${previous},`.repeat(10)}]`)
    }
    expect(refusal(lines.join('\n'))).toContain('aliases repeat too much')
  })

  test('an alias of what holds it', () => {
    expect(refusal('guests: &g { a: { vars: { x: *g } } }')).toMatch(/nested too deeply|alias/)
  })

  test.each(['[', '{a: ', '- '])('20,000 times %j', (part) => {
    expect(refusal(part.repeat(20_000))).not.toBe('accepted')
  })

  test('arbitrary text gives a configuration or a ConfigError', () => {
    const lump = fc.constantFrom(
      'guests:',
      'profiles:',
      '\n',
      '  ',
      '\t',
      ': ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '<<: ',
      '!x ',
      '"',
      "'",
      '#',
      'a',
      'mac',
      'args',
      'vars',
      'tree',
      'inherits',
      '~',
      '1',
      '|',
      '>',
      '%',
      '---',
      '\u0000',
      '__proto__',
      '? ',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(lump, { maxLength: 30 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, (input) => void refusal(input)),
      { numRuns: 600 },
    )
  })

  test('arbitrary values in the right places give a configuration or a ConfigError', () => {
    const value = fc.jsonValue({ maxDepth: 3 })
    const mapping = fc.dictionary(
      fc.constantFrom('mac', 'args', 'tree', 'vars', 'virt', 'profile', 'ip', 'uuid', 'serial', 'retry'),
      value,
    )
    const config = fc.record(
      { guests: fc.dictionary(fc.string(), mapping), profiles: value, http: value, paths: value },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(config, (input) => void refusal(JSON.stringify(input))),
      { numRuns: 150 },
    )
  })
})

describe('inheritance', () => {
  test('later names of a list win, shared ancestors count once, args run from the root down', () => {
    const loaded = parse(`
profiles:
  root: { args: [r], source: ftp }
  left: { inherits: root, args: [l], source: nfs, vars: { x: left } }
  right: { inherits: root, args: [q], vars: { x: right } }
guests:
  g: { profile: [left, right], args: [g, -l, "-r=1"] }`)
    const { settings, profiles } = guest(loaded, 'g')
    expect(profiles).toEqual(['right', 'left', 'root'])
    expect(settings.args.map(({ value }) => value)).toEqual(['r', 'q', 'g'])
    expect(settings.source.value).toBe('nfs')
    expect(settings.vars.x).toEqual({ value: 'right', from: 'profile right (config.yaml:5)' })
    expect(loaded.warnings).toEqual([
      {
        severity: 'warning',
        where: 'config.yaml:7:46',
        message: "guests.g.args[2]: '-r=1' removes nothing",
        remedy: "no profile above says 'r=1'",
      },
    ])
  })

  test('a list may stand in several lines, and each value names its own', () => {
    const { args } = guest(parse('guests:\n  a:\n    args:\n      - one\n\n      - two=2'), 'a').settings
    expect(args.map(({ from }) => from)).toEqual(['guest a (config.yaml:4)', 'guest a (config.yaml:6)'])
  })

  test('pv is Xen', () => {
    const { virt } = guest(parse('guests: { a: { virt: { type: pv } } }'), 'a').settings
    expect(virt.hypervisor).toEqual({ value: 'xen', from: 'default for type pv' })
  })

  test('2,000 profiles', () => {
    const lines = ['profiles:', '  p0: { args: [zero] }']
    for (let i = 1; i < 2_000; i++) lines.push(`  p${i}: { inherits: p${i === 1_999 ? 1_998 : 0} }`)
    lines.push('guests: { g: { profile: p1999 } }')
    expect(guest(parse(lines.join('\n')), 'g').settings.args.map(({ value }) => value)).toEqual(['zero'])
  })
})

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-config-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('no config.yaml: all is default, and no file is named', async () => {
    const { config } = await loadConfigFile({ cwd: folder })
    expect(config.file).toBeUndefined()
    expect(config.paths.trees).toBe(join(folder, 'trees'))
  })

  test('a file that was asked for must be there, be a file, and be UTF-8', async () => {
    writeFileSync(join(folder, 'utf16.yaml'), Buffer.from('\uFEFFhttp:', 'utf16le'))
    await expect(loadConfigFile({ file: 'x.yaml', cwd: folder })).rejects.toThrow(
      'x.yaml there is no such file',
    )
    await expect(loadConfigFile({ file: '.', cwd: folder })).rejects.toThrow('cannot be read: EISDIR')
    await expect(loadConfigFile({ file: 'utf16.yaml', cwd: folder })).rejects.toThrow('save it as UTF-8')
  })

  test('paths start at the file, not at the working folder', async () => {
    writeFileSync(join(folder, 'my.yaml'), 'paths: { trees: ../iso, data: /var/lib/treeboot }')
    const { config } = await loadConfigFile({ file: join(folder, 'my.yaml'), cwd: '/' })
    expect(config.file).toBe(join(folder, 'my.yaml'))
    expect(config.paths).toMatchObject({ trees: join(folder, '../iso'), data: '/var/lib/treeboot' })
  })
})

describe('the shipped config.yaml', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../config.yaml'), 'utf8')
  const [defaultsPart = '', examplePart = ''] = text.split('# ---- Example')
  const live = (part: string) => part.replaceAll(/^#( {2,}\S|\w)/gm, '$1')

  test('loads as it is, without guests', () => {
    expect(parse(text)).toMatchObject({ guests: [], warnings: [] })
  })

  test('tells the true defaults', () => {
    const { server, ...config } = parse(live(defaultsPart)).config
    const { server: _, ...defaults } = parse('').config
    expect(config).toEqual(defaults)
    expect(server.url).toBe('http://mirror.example:8080')
  })

  test('has an example that works when its comment signs are removed', () => {
    const { guests, warnings } = parse(live(`# ---- Example${examplePart}`))
    expect(guests.map(({ name, profiles }) => ({ name, profiles }))).toEqual([
      { name: 'web01', profiles: ['web', 'base'] },
    ])
    expect(warnings).toEqual([])
  })
})

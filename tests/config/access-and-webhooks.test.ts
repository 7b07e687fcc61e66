import { describe, expect, test } from 'vitest'
import { parse } from '../support/config.ts'

/** The keys that say who may come in, and who is told what happens. */

describe('access', () => {
  test('names, times and networks are read in one spelling', () => {
    const { config } = parse(`server: { names: [Boot.Example.ORG, kiste] }
access:
  anonymous: viewer
  session: { idle: 15m, max: 7d }
  metrics: [10.0.0.0/8, "FD00::1"]
`)
    expect(config.server.names).toEqual(['boot.example.org', 'kiste'])
    expect(config.access).toEqual({
      anonymous: 'viewer',
      session: { idleMs: 900_000, maxMs: 604_800_000 },
      metrics: ['10.0.0.0/8', 'fd00::1'],
    })
  })

  test.each([
    ['access: { anonymous: operator }', /access\.anonymous.*one of none, viewer/],
    ['access: { session: { idle: 30s } }', /access\.session\.idle.*from 1m to 24h/],
    ['access: { session: { idle: 25h } }', /access\.session\.idle.*from 1m to 24h/],
    ['access: { session: { max: 31d } }', /access\.session\.max.*from 5m to 30d/],
    ['access: { metrics: [everybody] }', /access\.metrics.*network/],
    ['server: { names: ["http://boot"] }', /server\.names.*name of a host/],
    ['server: { names: ["a b"] }', /server\.names.*name of a host/],
  ])('%s is refused', (written, why) => {
    expect(() => parse(written)).toThrow(why)
  })
})

describe('webhooks', () => {
  const hooksOf = (text: string) => parse(`webhooks:\n${text}`).config.webhooks

  test('have all kinds and no private address unless they say so', () => {
    expect(hooksOf('  - { url: "https://hooks.example", secret: a secret of the receiver }')).toEqual([
      {
        url: 'https://hooks.example/',
        kinds: ['boots', 'guests', 'trees', 'boot-tests', 'publish', 'config', 'problems'],
        secret: { text: 'a secret of the receiver' },
        allowPrivate: false,
      },
    ])
  })

  test.each([
    'url: "https://hooks.example"',
    'url: "ftp://hooks.example", secret: a secret of the receiver',
    'url: "https://anna:geheim@hooks.example", secret: a secret of the receiver',
    'url: "https://hooks.example", secret: short',
    'url: "https://hooks.example", secret: { env: "A-B" }',
    'url: "https://hooks.example", secret: { file: x, env: Y }',
    'url: "https://hooks.example", secret: a secret of the receiver, kinds: [files]',
  ])('refuses { %s }', (text) => {
    expect(() => hooksOf(`  - { ${text} }`)).toThrow()
  })

  test('refuses one URL twice', () => {
    const one = '  - { url: "https://hooks.example", secret: a secret of the receiver }\n'
    expect(() => hooksOf(one + one.replace('.example', '.EXAMPLE'))).toThrow(/each URL once/)
  })
})

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CliResult, treebootIn } from '../../support/cli.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

beforeAll(() => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home.path, 'tftpboot/boot.ipxe', '#!ipxe\n')
  writeBelow(home.path, 'kickstart-templates/good.ks', 'text\n')
  writeBelow(home.path, 'kickstart-templates/bad.ks', '{{ nope }}\n')
  const guests = ['web01: { template: good.ks }', 'web02: { template: bad.ks }']
  writeBelow(home.path, 'config.yaml', `guests:\n${guests.map((line) => `  ${line}\n`).join('')}`)
})
afterAll(() => home.remove())

describe('treeboot explain PATH', () => {
  const mountsOf = async (path: string) => {
    const { code, out } = await treeboot('explain', path, '--json')
    const { mounts } = JSON.parse(out) as { mounts: { at: string; outcome: string; message?: string }[] }
    return { code, mounts, outcomes: mounts.map(({ at, outcome }) => `${at} ${outcome}`) }
  }

  test('says which mount serves a file of a tree, and why it is there', async () => {
    const { code, outcomes } = await mountsOf('/trees/fedora-40/.treeinfo')
    expect({ code, first: outcomes[0] }).toEqual({ code: 0, first: '/trees serves' })
    expect(outcomes.slice(1).every((each) => each === '/ absent')).toBe(true)
    const { out } = await treeboot('explain', '/trees/fedora-40/.treeinfo')
    expect(out).toMatch(/^\/trees +served +the installation trees/m)
  })

  test('shows what a hand-written file hides', async () => {
    const { outcomes } = await mountsOf('/boot.ipxe')
    expect(outcomes.filter((each) => !each.endsWith('absent'))).toEqual(['/ serves', '/ hidden'])
  })

  test('shows why an answer file fails', async () => {
    expect((await mountsOf('/ks/web01')).outcomes[0]).toBe('/ks serves')
    const { code, mounts } = await mountsOf('/ks/web02')
    expect(code).toBe(3)
    expect(mounts[0]).toMatchObject({ at: '/ks', outcome: 'fails' })
    expect(mounts[0]?.message).toMatch(/bad\.ks.*nope/s)
  })

  test('ends with exit code 3 for a path that nobody serves', async () => {
    const { code, outcomes } = await mountsOf('/no/such/file')
    expect(code).toBe(3)
    expect(outcomes.every((each) => each.endsWith('absent'))).toBe(true)
  })
})

test('treeboot config-schema prints a JSON Schema that knows every section', async () => {
  const { code, out } = await treeboot('config-schema')
  expect(code).toBe(0)
  const { type, properties } = JSON.parse(out)
  expect(type).toBe('object')
  expect(Object.keys(properties)).toEqual(
    expect.arrayContaining(['server', 'http', 'dhcp', 'guests', 'mirrors']),
  )
  const keys = async (kind: string) =>
    Object.keys(JSON.parse((await treeboot('config-schema', kind)).out).properties)
  expect(await keys('--guest')).toEqual(expect.arrayContaining(['mac', 'profile', 'tree']))
  expect(await keys('--profile')).toEqual(expect.arrayContaining(['inherits', 'tree']))
  expect(await keys('--mirror')).toEqual(['url', 'schedule', 'boot-only'])
})

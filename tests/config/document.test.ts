import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configJsonSchema } from '../../server/config/file-schema.ts'
import { parseConfig } from '../../server/config/load.ts'

const document = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8')
/** Everything that the page writes in backticks. */
const known = [...document.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '')

interface Node {
  properties?: Record<string, Node>
  additionalProperties?: Node | boolean
  anyOf?: Node[]
}

/** The path of every key of the schema, as an operator writes it. Profiles and guests share their keys. */
function keysOf(node: Node, prefix: string): string[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`
    const below = keysOf(inner, path)
    return below.length > 0 ? below : [path]
  })
  const inEntries = prefix === 'profiles' || prefix === 'guests'
  const entries =
    inEntries && typeof node.additionalProperties === 'object' ? keysOf(node.additionalProperties, '') : []
  return [...own, ...entries, ...(node.anyOf ?? []).flatMap((branch) => keysOf(branch, prefix))]
}

/**
 * Whether the page has the key. `tree.distro` is in the row of `tree`, and `ftp.bind` in the row of
 * `http.bind, ...`.
 */
function isDocumented(key: string): boolean {
  const [section = '', last = ''] = key.split('.')
  if (known.includes(key)) return true
  if (section === 'tree') return known.includes('tree') && known.includes(last)
  return last === 'bind' && known.includes('http.bind')
}

describe('docs/configuration.md', () => {
  const keys = [...new Set(keysOf(configJsonSchema() as Node, ''))]

  test('the list of keys has those of services, machines and trees', () => {
    expect(keys).toEqual(
      expect.arrayContaining(['server.url', 'dhcp.known-only', 'virt.memory', 'mac', 'tree.arch']),
    )
  })

  test.each(keys)('names %s', (key) => expect(isDocumented(key)).toBe(true))

  test('its examples load, and web01 gets the settings that the text names', () => {
    const examples = [...document.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
    expect(examples.length).toBeGreaterThan(1)
    const loaded = examples.map((text) => parseConfig(text, 'config.yaml', '/srv/treeboot'))
    expect(loaded.flatMap(({ problems }) => problems)).toEqual([])
    const web01 = loaded.flatMap(({ guests }) => guests).find(({ name }) => name === 'web01')
    const args = web01?.settings.args.map(({ value }) => value).join(' ')
    expect(args).toBe('console=ttyS0 inst.text')
    expect(document).toContain(`\`${args}\``)
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The table of ARCHITECTURE.md: which room may import which. `node` and `package` stand for Node's own modules and npm's. */
const table: Record<string, readonly string[]> = {
  core: [],
  render: ['core'],
  files: ['core', 'node', 'package'],
  events: ['core', 'files', 'node', 'package'],
  templates: ['core', 'render', 'node', 'package'],
  catalog: ['core', 'files', 'events', 'node', 'package'],
  store: ['core', 'files', 'events', 'node', 'package'],
  publish: ['core', 'render', 'files', 'templates', 'node', 'catalog/snapshot.ts'],
  protocols: ['core', 'files', 'events', 'node', 'package'],
  web: ['core', 'render', 'files', 'templates', 'events', 'catalog', 'store', 'publish', 'node', 'package'],
  cli: [
    'core',
    'render',
    'files',
    'templates',
    'events',
    'catalog',
    'store',
    'publish',
    'web',
    'node',
    'package',
    'app.ts',
  ],
  'app.ts': [
    'core',
    'render',
    'files',
    'templates',
    'events',
    'catalog',
    'store',
    'publish',
    'web',
    'protocols',
    'node',
    'package',
  ],
  'main.ts': ['cli', 'core', 'node', 'package'],
}

const server = resolve(import.meta.dirname, '../server')
const sources = readdirSync(server, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort()

function importsOf(file: string): string[] {
  const text = readFileSync(join(server, file), 'utf8')
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
  )
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

/** `core`, `protocols`, `node`, `package`, or a path within a room where the table is that precise. */
function roomOf(file: string, specifier: string): { room: string; path: string } {
  if (specifier.startsWith('node:')) return { room: 'node', path: specifier }
  if (!specifier.startsWith('.')) return { room: 'package', path: specifier }
  const path = relative(server, resolve(server, dirname(file), specifier))
  return { room: path.split('/')[0] ?? '', path }
}

function mayImport(file: string, specifier: string): boolean {
  const own = file.split('/')[0] ?? ''
  const { room, path } = roomOf(file, specifier)
  const allowed = table[own]
  if (!allowed) return false
  if (own === 'protocols' && room === 'protocols') {
    // A service knows its own folder and the shape of a listener, never another service.
    const [, service] = file.split('/')
    return path === 'protocols/listener.ts' || path.split('/')[1] === service
  }
  return room === own || allowed.includes(room) || allowed.includes(path)
}

describe('the rooms import only what the table of ARCHITECTURE.md allows', () => {
  test.each(sources)('%s', (file) => {
    expect(importsOf(file).filter((specifier) => !mayImport(file, specifier))).toEqual([])
  })
})

describe('the pure rooms stay pure', () => {
  const pure = sources.filter((file) => file.startsWith('core/') || file.startsWith('render/'))
  test.each(pure)('%s has no clock, no randomness, no environment', (file) => {
    const text = readFileSync(join(server, file), 'utf8')
    expect(
      text.match(/\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bcrypto\.random/g) ?? [],
    ).toEqual([])
  })
})

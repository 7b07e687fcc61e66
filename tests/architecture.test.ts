import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { expectGoldenPart } from './support/golden.ts'
import { rooms, roomsTable } from './support/rooms.ts'

const project = resolve(import.meta.dirname, '..')
const server = join(project, 'server')
const sources = readdirSync(server, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort()
const texts = new Map(sources.map((file) => [file, readFileSync(join(server, file), 'utf8')]))
const allowed = new Map(rooms.map(({ name, mayImport }) => [name, new Set(['core', ...mayImport])]))

function importsOf(file: string): string[] {
  const found = (texts.get(file) ?? '').matchAll(
    /^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
  )
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

/** A file of ours, below `server/`; undefined for Node's modules and packages. */
function targetOf(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? relative(server, resolve(server, dirname(file), specifier)) : undefined
}

function mayImport(file: string, specifier: string): boolean {
  const own = roomOf(file)
  const may = allowed.get(own) ?? new Set()
  if (specifier.startsWith('node:')) return may.has('node')
  const path = targetOf(file, specifier)
  if (path === undefined) return may.has('package') || may.has(`package:${specifier}`)
  if (own === 'protocols' && roomOf(path) === 'protocols') {
    // A service knows its own folder and what lies beside the folders, never another service.
    const [, service, inside] = path.split('/')
    return inside === undefined || service === file.split('/')[1]
  }
  return roomOf(path) === own || may.has(roomOf(path)) || may.has(path)
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? ''
}

test('ARCHITECTURE.md shows the table of rooms (npm run golden writes it)', () => {
  expectGoldenPart('ARCHITECTURE.md', 'rooms', roomsTable())
})

test('rooms import only what the table allows', () => {
  const found = sources.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !mayImport(file, specifier))
      .map((specifier) => `${file} imports ${specifier}`),
  )
  expect(found).toEqual([])
})

test('no file imports itself by way of others, types included', () => {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) cycles.push([...path.slice(at), file].join(' -> '))
    if (at >= 0 || done.has(file)) return
    done.add(file)
    for (const specifier of importsOf(file)) {
      const target = targetOf(file, specifier)
      if (target !== undefined) visit(target, [...path, file])
    }
  }
  for (const file of sources) visit(file, [])
  expect(cycles).toEqual([])
})

describe('the pure rooms stay pure', () => {
  const pure = sources.filter((file) => file.startsWith('core/') || file.startsWith('render/'))
  const matches = (pattern: RegExp) =>
    pure.flatMap((file) =>
      [...(texts.get(file) ?? '').matchAll(pattern)].map(([found]) => `${file}: ${found}`),
    )

  test('no clock, no randomness, no environment', () => {
    const impure = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bcrypto\.random/g
    expect(matches(impure)).toEqual([])
  })

  test('nothing that outlives a call: no mutable map, set, list or variable of a module', () => {
    expect(matches(/^(?:export )?let .*$/gm)).toEqual([])
    expect(matches(/^(?:export )?const \w+ = new (?:Map|Set|WeakMap|LRUCache)\b.*$/gm)).toEqual([])
  })
})

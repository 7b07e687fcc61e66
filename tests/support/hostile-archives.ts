import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { TarSpec } from './tar.ts'

/** Archives made to do harm, and a folder that shows whether they did. */

const secret = 'the secret of this machine'
/** What a test itself puts beside the tree, and the import. */
const ownNames = ['tree', 'aside', 'archive', 'trees']

/**
 * A folder with a tree that is to be filled, and beside it what no archive may change, link to or read. The
 * links of hostile archives lead to these names.
 */
export class GuardedFolder {
  readonly base: string
  readonly tree: string
  readonly tempFolder: string
  readonly archive: string
  readonly #before: string

  /** @param folder An empty folder. */
  constructor(folder: string) {
    // Deep enough that what goes up some levels is seen.
    const base = join(folder, '1/2/3')
    mkdirSync(base, { recursive: true })
    this.base = base
    this.tree = join(base, 'tree')
    this.tempFolder = join(base, 'aside')
    this.archive = join(base, 'archive')
    mkdirSync(join(base, 'outside'))
    writeFileSync(join(base, 'secret'), secret)
    writeFileSync(join(base, 'outside/kept'), secret)
    this.#before = this.#outside()
  }

  /** Puts a symlink into the tree, as an interrupted run may have left it. */
  plant(path: string, target: string): void {
    const place = join(this.tree, path)
    const above = dirname(place)
    const isFree =
      realOf(above) === above &&
      lstatSync(above).isDirectory() &&
      !readdirSync(above).includes(basename(place))
    if (isFree && target !== '') symlinkSync(this.#real(target), place)
  }

  /** The entries with the real path of this folder in place of `$BASE` in their targets. */
  withRealTargets(entries: readonly TarSpec[]): TarSpec[] {
    return entries.map((each) => ({ ...each, target: this.#real(each.target ?? '') }))
  }

  #real(target: string): string {
    return target.replace('$BASE', this.base)
  }

  /** Checks that nothing outside of a tree was made, changed or linked, and that nothing in it leads out. */
  check(tree = this.tree): void {
    expect(this.#outside()).toBe(this.#before)
    if (!existsSync(tree)) return
    for (const path of linksBelow(tree)) {
      const real = realOf(join(tree, path))
      if (real !== undefined) expect(`${real}/`, path).toContain(`${tree}/`)
    }
  }

  reset(): void {
    for (const folder of [this.tree, this.tempFolder]) rmSync(folder, { recursive: true, force: true })
  }

  /**
   * All names outside of the tree, with the times and the count of links that a change of them would change.
   * The time of a folder changes with its names.
   */
  #outside(): string {
    const names = readdirSync(this.base).filter((name) => !ownNames.includes(name))
    const lines = ['..', '../..', '../../..', 'outside', 'outside/kept', 'secret'].map((name) => {
      const { ino, nlink, mtimeMs, ctimeMs } = lstatSync(join(this.base, name))
      return `${name} ${ino} ${nlink} ${mtimeMs} ${ctimeMs}`
    })
    return [...names, ...lines].join(', ')
  }
}

/** The symlinks below a folder, relative to it. */
function linksBelow(folder: string, at = ''): string[] {
  return readdirSync(join(folder, at), { withFileTypes: true }).flatMap((item) => {
    const path = join(at, item.name)
    if (item.isDirectory()) return linksBelow(folder, path)
    return item.isSymbolicLink() ? [path] : []
  })
}

/** Undefined when a link leads to nothing. */
function realOf(place: string): string | undefined {
  try {
    return realpathSync.native(place)
  } catch {
    return undefined
  }
}

/** Few names, so that entries meet. Two pairs differ in case or in their Unicode form only. */
const name = fc.constantFrom('a', 'b', 'c', 'A', '\u00e9', 'e\u0301')
const names = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const often = <T>(value: T, weight: number) => ({ arbitrary: fc.constant(value), weight })

const path = fc
  .tuple(fc.oneof(often('', 12), often('./', 2), often('/', 1), often('../', 1), often('a/../', 1)), names)
  .map(([before, after]) => `${before}${after}`)

const up = fc.integer({ min: 0, max: 4 }).map((times) => '/..'.repeat(times))
const tail = fc.constantFrom('', '', '', '/secret', '/outside', '/outside/kept', '/new')
const start = fc.oneof(
  { arbitrary: names, weight: 6 },
  often('.', 3),
  often('..', 1),
  often('$BASE', 1),
  often('', 1),
)
const target = fc.tuple(start, up, tail).map((parts) => parts.join('').slice(0, 90))

const entry: fc.Arbitrary<TarSpec> = fc.oneof(
  { arbitrary: fc.record({ path, type: fc.constantFrom('2', '2', '1'), target }), weight: 6 },
  { arbitrary: fc.record({ path, data: fc.constantFrom('', 'x') }), weight: 3 },
  { arbitrary: fc.record({ path, type: fc.constantFrom('5', '5', '3', '6', '7') }), weight: 2 },
)

const someEntries = fc.array(entry, { maxLength: 3 })

/** The way from the folder of an entry to the top of its tree. */
const toTop = (path: string) => '../'.repeat(path.split('/').length - 1)

/**
 * Symlinks that lead out, although each looks as if it stayed inside: the first leads to the top of the tree,
 * the second through it and further up. Other entries use the second as a folder, in their name or target.
 */
const wayOut = fc
  .record({
    first: names,
    second: names,
    up: fc.constantFrom('/..', '/..', '/../outside', '/../..'),
    user: names,
    use: fc.constantFrom<TarSpec['type']>('0', '1', '1', '2', '5'),
    what: fc.constantFrom('secret', 'kept', 'outside/kept', 'new/x'),
    byName: fc.boolean(),
  })
  .map(({ first, second, up, user, use = '0', what, byName }): TarSpec[] => [
    { path: first, type: '2', target: toTop(first) || '.' },
    { path: second, type: '2', target: `${toTop(second)}${first}${up}` },
    byName
      ? { path: `${second}/${what}`, type: use, target: 'a' }
      : {
          path: user,
          type: use === '2' ? '2' : '1',
          target: `${use === '2' ? toTop(user) : ''}${second}/${what}`,
        },
  ])

const inSomeOrder = (entries: TarSpec[]) =>
  fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length })

/** Entries of all kinds in any order. */
export const hostileEntries = fc.oneof(
  fc.tuple(someEntries, wayOut).map((parts) => parts.flat()),
  fc.tuple(someEntries, wayOut).chain((parts) => inSomeOrder(parts.flat())),
  fc.array(entry, { minLength: 1, maxLength: 7 }),
)
export const plantedLinks = fc.array(fc.tuple(names, target), { maxLength: 3 })

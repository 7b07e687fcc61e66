import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderOfId, folderOfVersion } from '../../server/versions/layout.ts'
import type { VersionRecord } from '../../server/versions/record.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { makeTree, namesBelow, temporaryFolder } from '../support/tree-folder.ts'

/** Each test builds what is on the disk when a process dies, or fails, at one moment of a publication. */

function inputs() {
  const trees = join(temporaryFolder(), 'trees')
  mkdirSync(join(trees, '.treeboot/incoming'), { recursive: true })
  let nowMs = Date.UTC(2026, 0, 1)
  const store = new VersionStore(trees, () => nowMs++)
  const staged = (version: string): string => {
    const folder = join(trees, '.treeboot/incoming', `job-${version}`)
    makeTree(folder, { version })
    return folder
  }
  const publish = (version: string, replace = false) =>
    store.publish({ id: 'fedora', kind: 'folder', path: staged(version), source: 'a test', replace })
  /** The moment after a version was moved into place: it has its record, and no line in the history. */
  const moveIn = (number: number, version: string, more: Partial<VersionRecord> = {}): void => {
    mkdirSync(folderOfId(trees, 'fedora'), { recursive: true })
    const record = { id: 'fedora', version: number, kind: 'folder', publishedMs: nowMs, source: 'a test' }
    writeFileSync(at(`${number}.json`), JSON.stringify({ ...record, files: 4, bytes: 100, ...more }))
    renameSync(staged(version), folderOfVersion(trees, 'fedora', number))
  }
  const at = (name: string): string => join(folderOfId(trees, 'fedora'), name)
  const name = join(trees, 'fedora')
  const shown = (): string | undefined =>
    /\d+/.exec(existsSync(name) ? readFileSync(join(name, 'images/pxeboot/vmlinuz'), 'utf8') : '')?.[0]
  const lines = (): string[] =>
    readFileSync(at('history'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => `${JSON.parse(line).action} ${JSON.parse(line).version}`)
  return { trees, store, staged, publish, moveIn, at, name, shown, lines }
}

describe('a folder placed by hand (39) is being replaced by 40', () => {
  /** The numbers are reserved, and 40 is completely in place. */
  function begun() {
    const all = inputs()
    makeTree(all.name, { version: '39' })
    all.moveIn(2, '40', { replaces: 1 })
    mkdirSync(all.at('1'))
    writeFileSync(all.at('1.json'), '{"id":"fedora","version":1,"kind":"folder","source":"a folder"}')
    return all
  }
  const link = '.treeboot/versions/fedora/2'

  test.each([
    ['before the link is made', () => undefined],
    ['when the reserved folder is gone', ({ at }) => rmdirSync(at('1'))],
    [
      'when nothing of the reservation is left',
      ({ at }) => {
        rmdirSync(at('1'))
        rmSync(at('1.json'))
      },
    ],
    [
      'before the names are exchanged',
      ({ at }) => {
        rmdirSync(at('1'))
        symlinkSync(link, at('1'))
      },
    ],
    [
      'after the names were exchanged',
      ({ at, name }) => {
        renameSync(name, at('1'))
        symlinkSync(link, name)
      },
    ],
    ['between the two renames of a system without exchange', ({ at, name }) => renameSync(name, at('1'))],
  ] satisfies [string, (all: ReturnType<typeof begun>) => unknown][])('%s', async (_, goOn) => {
    const all = begun()
    goOn(all)
    const { store, shown, lines } = all
    expect(await store.recover()).toEqual(['fedora'])
    expect(shown()).toBe('40')
    expect(lines()).toEqual(['adopt 1', 'publish 2'])
    expect(await store.recover()).toEqual([])
    await store.rollback('fedora')
    expect(shown()).toBe('39')
  })

  test('at each moment before the switch the folder is shown', () => {
    expect(begun().shown()).toBe('39')
  })

  test('by an earlier treeboot, which moved the folder away first and then failed: it is shown again', async () => {
    const { store, moveIn, at, shown, lines } = inputs()
    moveIn(1, '39')
    writeFileSync(at('history'), '{"atMs":1,"action":"adopt","version":1}\n')
    expect(await store.recover()).toEqual(['fedora'])
    expect(shown()).toBe('39')
    expect(lines().at(-1)).toBe('rollback 1')
    expect(await store.recover()).toEqual([])
  })
})

test('a failed switch leaves the old tree, and moves the new one back to where it was', async () => {
  const { trees, store, staged, publish, shown } = inputs()
  await publish('40')
  const before = namesBelow(trees)
  // Nothing can be made under the name of the temporary link.
  const obstacle = join(trees, `.treeboot/switch-fedora-${process.pid}/full`)
  mkdirSync(obstacle, { recursive: true })
  const path = staged('41')
  await expect(store.publish({ id: 'fedora', kind: 'folder', path, source: 'a test' })).rejects.toThrow()
  expect(shown()).toBe('40')
  expect(namesBelow(path)).toHaveLength(4)
  rmSync(join(obstacle, '..'), { recursive: true })
  rmSync(path, { recursive: true })
  expect(namesBelow(trees)).toEqual(before)
  await publish('41')
  expect(shown()).toBe('41')
})

test('a failed first publication leaves nothing but the staged tree', async () => {
  const { trees, store, staged } = inputs()
  mkdirSync(join(trees, `.treeboot/switch-fedora-${process.pid}/full`), { recursive: true })
  const path = staged('41')
  await expect(store.publish({ id: 'fedora', kind: 'folder', path, source: 'a test' })).rejects.toThrow()
  expect(existsSync(folderOfId(trees, 'fedora'))).toBe(false)
  expect(namesBelow(path)).toHaveLength(4)
})

describe('the history', () => {
  test('a last line that was cut off takes nothing with it: a rollback stays', async () => {
    const { store, publish, at, shown, lines } = inputs()
    await publish('40')
    await publish('41')
    truncateSync(at('history'), readFileSync(at('history')).length - 12)
    await store.rollback('fedora')
    expect(shown()).toBe('40')
    await store.recover()
    expect(shown()).toBe('40')
    expect(readFileSync(at('history'), 'utf8').split('\n').filter(Boolean)).toHaveLength(3)
    expect(() => lines()).toThrow(SyntaxError)
    expect((await store.versions('fedora')).map(({ current }) => current)).toEqual([true, false])
  })

  test('a line that was cut off is written again from what the link says', async () => {
    const { store, publish, at, shown } = inputs()
    await publish('40')
    await publish('41')
    truncateSync(at('history'), readFileSync(at('history')).length - 12)
    const retired = async () => (await store.versions('fedora'))[0]?.retiredMs
    // Before anything is repaired, gc must know that version 1 was just replaced.
    expect(await retired()).toBeGreaterThan(Date.now() - 60_000)
    await store.recover()
    expect(shown()).toBe('41')
    expect(await retired()).toBeDefined()
    expect(await store.recover()).toEqual([])
  })

  test('a rollback after an interrupted publication is not undone', async () => {
    const { store, publish, moveIn, shown } = inputs()
    await publish('40')
    await publish('41')
    moveIn(3, '42')
    await store.rollback('fedora', 1)
    expect(await store.recover()).toEqual([])
    expect(shown()).toBe('40')
  })

  test('without a history the link counts', async () => {
    const { store, publish, at, shown } = inputs()
    await publish('40')
    await publish('41')
    await store.rollback('fedora')
    rmSync(at('history'))
    for (let start = 0; start < 3; start++) await store.recover()
    expect(shown()).toBe('40')
  })

  test('a rollback that ended before its switch was not made', async () => {
    const { store, publish, at, shown } = inputs()
    await publish('40')
    await publish('41')
    writeFileSync(at('history'), '{"atMs":9,"action":"rollback","version":1,"newest":2}\n', { flag: 'a' })
    await store.recover()
    expect(shown()).toBe('41')
  })
})

test('a tree whose name the operator removed stays hidden', async () => {
  const { store, publish, name, shown } = inputs()
  await publish('40')
  await publish('41')
  rmSync(name)
  expect(await store.recover()).toEqual([])
  expect(shown()).toBeUndefined()
})

test('of two names of one tree the one that was acknowledged stays', async () => {
  const { trees, store, publish, at, name, shown } = inputs()
  await publish('40')
  const record = { id: 'fedora', version: 2, kind: 'iso', publishedMs: 1, source: 'x', files: 1, bytes: 1 }
  mkdirSync(at('2'))
  writeFileSync(at('2/fedora.iso'), 'image')
  writeFileSync(at('2.json'), JSON.stringify(record))
  // As after the new name, and before the old one is removed.
  symlinkSync('.treeboot/versions/fedora/2/fedora.iso', `${name}.iso`)
  expect(await store.recover()).toEqual(['fedora'])
  expect([existsSync(name), readlinkSync(`${name}.iso`)]).toEqual([false, expect.stringContaining('/2/')])
  // A rollback that came as far as the new name.
  symlinkSync('.treeboot/versions/fedora/1', name)
  expect(await store.recover()).toEqual(['fedora'])
  expect(existsSync(join(trees, 'fedora.iso'))).toBe(true)
  expect(shown()).toBeUndefined()
})

test('one tree that cannot be repaired does not keep the others from it', async () => {
  const { trees, store, publish, moveIn, name, shown } = inputs()
  await publish('40')
  moveIn(2, '41')
  // The operator put a folder of his own in the place of another tree, whose publication was interrupted.
  makeTree(join(trees, 'alma'), { version: '9' })
  mkdirSync(folderOfId(trees, 'alma'), { recursive: true })
  writeFileSync(join(folderOfId(trees, 'alma'), '1.json'), '{"id":"alma","version":1,"kind":"folder"}')
  makeTree(folderOfVersion(trees, 'alma', 1), { version: '8' })
  const troubles: string[] = []
  expect(await store.recover((id, error) => troubles.push(`${id}: ${error}`))).toEqual(['fedora'])
  expect(troubles).toEqual([expect.stringMatching(/^alma: .*trees\/alma/)])
  expect(shown()).toBe('41')
  expect(existsSync(name)).toBe(true)
})

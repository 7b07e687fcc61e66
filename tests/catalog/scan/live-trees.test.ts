import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LiveTrees } from '../../../server/catalog/scan/live-trees.ts'
import type { SettleTimes } from '../../../server/core/tree/settle.ts'
import type { Event } from '../../../server/events/bus.ts'
import { VerifyCache } from '../../../server/verify/verify-cache.ts'
import { eventually } from '../../support/eventually.ts'
import {
  imagesOfTree,
  makeTree,
  temporaryFolder,
  treeinfoText,
  writeBelow,
} from '../../support/tree-folder.ts'

/** Quiet is 150 ms here, so that the tests are short. */
const times: SettleTimes = { quietMs: 150, missingGraceMs: 400 }
/** For copies that the test itself makes slow: what it sees first must not be their end. */
const patient: SettleTimes = { ...times, quietMs: 400 }
const deadlineMs = 8000

async function watching(base: string, options: { times?: SettleTimes; cache?: VerifyCache } = {}) {
  const events: Event[] = []
  const trees = new LiveTrees({
    folder: join(base, 'trees'),
    cache: options.cache ?? new VerifyCache(join(base, 'data')),
    clock: Date.now,
    times: options.times ?? times,
    rescanMs: 60_000,
    emit: (event) => events.push(event),
    onChange: () => undefined,
  })
  onTestFinished(() => trees.stop())
  await trees.start()
  const state = (id: string) => trees.trees.find((tree) => tree.id === id)?.state
  /** The states that a tree was in, in order. */
  const story = (id: string) =>
    events.flatMap((event) => (event.type === 'tree' && event.id === id ? [event.state] : []))
  const becomes = (id: string, wanted: string | undefined) =>
    eventually(() => expect(state(id)).toBe(wanted), deadlineMs)
  const reasons = (id: string) => trees.trees.find((tree) => tree.id === id)?.reasons
  return { trees, events, state, story, becomes, reasons }
}

function home(): string {
  const base = temporaryFolder()
  mkdirSync(join(base, 'trees'))
  return base
}

test('a tree that is copied in appears, is verified and is ready', async () => {
  const base = home()
  const { becomes, story, trees } = await watching(base)
  makeTree(join(base, 'trees/fedora/40'))
  await becomes('fedora/40', 'ready')
  expect(story('fedora/40').slice(-2)).toEqual(['verifying', 'ready'])
  const [tree] = trees.trees
  expect(tree).toMatchObject({
    distro: 'fedora',
    version: '40',
    reasons: [],
    sizes: { 'images/pxeboot/vmlinuz': 'kernel of 40\n'.length },
    origin: { kind: 'folder', path: join(base, 'trees/fedora/40') },
  })
  expect(Object.isFrozen(tree) && Object.isFrozen(tree?.platforms.x86_64)).toBe(true)
})

test.each(['.treeinfo last', '.treeinfo first'])(
  'a slow copy is never offered before its end: %s',
  async (order) => {
    const base = home()
    const folder = join(base, 'trees/fedora')
    const { becomes, story, state } = await watching(base, { times: patient })
    if (order === '.treeinfo first') writeBelow(folder, '.treeinfo', treeinfoText({ checksums: false }))
    // The kernel grows for twice the quiet time; nothing but its folder shows it.
    writeBelow(folder, 'images/pxeboot/initrd.img', 'initrd')
    writeBelow(folder, 'images/install.img', 'stage 2')
    writeBelow(folder, 'images/pxeboot/vmlinuz', 'first piece')
    if (order === '.treeinfo first') await becomes('fedora', 'incoming')
    const until = Date.now() + 2 * patient.quietMs
    await eventually(() => {
      appendFileSync(join(folder, 'images/pxeboot/vmlinuz'), 'piece')
      expect(state('fedora')).not.toBe('ready')
      expect(Date.now()).toBeGreaterThan(until)
    }, deadlineMs)
    expect(story('fedora')).not.toContain('ready')
    if (order === '.treeinfo last') writeBelow(folder, '.treeinfo', treeinfoText({ checksums: false }))
    await becomes('fedora', 'ready')
  },
)

test('a tree whose packages are still being copied is incoming, though its images are complete', async () => {
  const base = home()
  const folder = join(base, 'trees/fedora')
  const { becomes, state } = await watching(base, { times: patient })
  makeTree(folder, { checksums: false })
  await becomes('fedora', 'incoming')
  const until = Date.now() + 2 * patient.quietMs
  let count = 0
  await eventually(() => {
    writeBelow(folder, `Packages/p/package-${count++ % 3}.rpm`, 'x'.repeat(count))
    expect(state('fedora')).toBe('incoming')
    expect(Date.now()).toBeGreaterThan(until)
  }, deadlineMs)
  await becomes('fedora', 'ready')
})

test('a copy by rsync, which writes under hidden names and renames, is never broken', async () => {
  const base = home()
  const folder = join(base, 'trees/fedora')
  const { becomes, story } = await watching(base)
  for (const [path, text] of [...Object.entries(imagesOfTree()), ['.treeinfo', treeinfoText()] as const]) {
    const at = path.lastIndexOf('/') + 1
    const aside = `${path.slice(0, at)}.${path.slice(at)}.a1B2c3`
    writeBelow(folder, aside, text)
    renameSync(join(folder, aside), join(folder, path))
  }
  await becomes('fedora', 'ready')
  expect(story('fedora')).not.toContain('broken')
})

test('a tree that is moved into place is there at once, and one that is moved away is gone', async () => {
  const base = home()
  makeTree(join(base, 'aside'), { checksums: false })
  const { becomes, story, trees } = await watching(base, { times: { ...times, quietMs: 1 } })
  renameSync(join(base, 'aside'), join(base, 'trees/fedora'))
  await becomes('fedora', 'ready')
  renameSync(join(base, 'trees/fedora'), join(base, 'aside'))
  await eventually(() => expect(trees.trees).toEqual([]), deadlineMs)
  expect(story('fedora').at(-1)).toBe('removed')
})

test('deleted trees disappear, one by one or by whole folders', async () => {
  const base = home()
  for (const id of ['a/1', 'a/2', 'b', 'c']) makeTree(join(base, 'trees', id), { checksums: false })
  const { trees, becomes } = await watching(base)
  for (const id of ['a/1', 'a/2', 'b', 'c']) await becomes(id, 'ready')
  rmSync(join(base, 'trees/a'), { recursive: true })
  rmSync(join(base, 'trees/b'), { recursive: true })
  await eventually(() => expect(trees.trees.map(({ id }) => id)).toEqual(['c']), deadlineMs)
})

test('a new tree under the name of a deleted one is noticed, and so is its removal', async () => {
  const base = home()
  const { becomes, trees } = await watching(base)
  for (const version of ['40', '41']) {
    makeTree(join(base, 'trees/fedora'), { version })
    await becomes('fedora', 'ready')
    expect(trees.trees[0]?.version).toBe(version)
    rmSync(join(base, 'trees/fedora'), { recursive: true })
    await becomes('fedora', undefined)
  }
})

test('one changed byte makes a tree broken, with file, expected and found digest; restored it is ready', async () => {
  const base = home()
  const folder = join(base, 'trees/fedora')
  makeTree(folder)
  const { becomes, reasons } = await watching(base)
  await becomes('fedora', 'ready')
  const kernel = join(folder, 'images/pxeboot/vmlinuz')
  const good = readFileSync(kernel, 'utf8')
  writeFileSync(kernel, good.replace('k', 'K'))
  await becomes('fedora', 'broken')
  expect(reasons('fedora')).toEqual([
    expect.stringMatching(
      /^images\/pxeboot\/vmlinuz is damaged: sha256 expected [0-9a-f]{64}, found [0-9a-f]{64}$/,
    ),
  ])
  writeFileSync(kernel, good)
  await becomes('fedora', 'ready')
})

test('a tree waits for a missing kernel, then it is broken and says what is missing', async () => {
  const base = home()
  const folder = join(base, 'trees/fedora')
  const { becomes, reasons, story } = await watching(base)
  makeTree(folder)
  rmSync(join(folder, 'images/pxeboot/vmlinuz'))
  await becomes('fedora', 'broken')
  expect(story('fedora')).toEqual(['incoming', 'broken'])
  expect(reasons('fedora')).toEqual(['images/pxeboot/vmlinuz is missing or empty (named by .treeinfo)'])
  writeBelow(folder, 'images/pxeboot/vmlinuz', 'kernel of 40\n')
  await becomes('fedora', 'ready')
})

test('a missing file that no boot needs is a problem, and the tree is ready', async () => {
  const base = home()
  const extra = `repodata/repomd.xml = sha256:${'0'.repeat(64)}\n`
  makeTree(join(base, 'trees/fedora'), { extra })
  const { becomes, trees } = await watching(base)
  await becomes('fedora', 'ready')
  expect(trees.trees[0]?.problems).toContainEqual({
    file: 'repodata/repomd.xml',
    message: 'repodata/repomd.xml has a digest in the descriptor and is missing',
  })
  writeBelow(join(base, 'trees/fedora'), 'repodata/repomd.xml', 'other bytes')
  await becomes('fedora', 'broken')
})

test('digests that are known from the last run are not computed again', async () => {
  const base = home()
  makeTree(join(base, 'trees/fedora'))
  const first = await watching(base)
  await first.becomes('fedora', 'ready')
  await first.trees.stop()
  const cache = new VerifyCache(join(base, 'data'))
  await cache.load()
  const second = await watching(base, { cache })
  await second.becomes('fedora', 'ready')
  expect(second.story('fedora')).not.toContain('verifying')
})

test('symlinks out of trees/ are not followed, neither to a tree nor to a kernel', async () => {
  const base = home()
  makeTree(join(base, 'outside'))
  makeTree(join(base, 'trees/fedora'), { checksums: false })
  symlinkSync(join(base, 'outside'), join(base, 'trees/link'))
  const kernel = join(base, 'trees/fedora/images/pxeboot/vmlinuz')
  rmSync(kernel)
  symlinkSync(join(base, 'outside/images/pxeboot/vmlinuz'), kernel)
  const { trees, becomes } = await watching(base)
  await becomes('fedora', 'broken')
  expect(trees.trees.map(({ id }) => id)).toEqual(['fedora'])
})

test('a symlink to a tree is a tree; one to a folder inside a tree is not', async () => {
  const base = home()
  makeTree(join(base, 'trees/fedora-40'), { checksums: false })
  symlinkSync('fedora-40/images/pxeboot', join(base, 'trees/boot'))
  symlinkSync('fedora-40', join(base, 'trees/latest'))
  const { trees, becomes } = await watching(base)
  await becomes('latest', 'ready')
  expect(trees.trees.map(({ id }) => id)).toEqual(['fedora-40', 'latest'])
})

test('a file beside the images leaves a ready tree as it is', async () => {
  const base = home()
  const folder = join(base, 'trees/fedora')
  makeTree(folder, { checksums: false })
  const { trees, becomes, story } = await watching(base)
  await becomes('fedora', 'ready')
  const before = trees.trees[0]
  const told = story('fedora').length
  writeBelow(folder, 'README', 'hello')
  await trees.rescan()
  expect(trees.trees[0]).toBe(before)
  expect(story('fedora').length).toBe(told)
})

test('trees/ may be made later, and may be removed', async () => {
  const base = temporaryFolder()
  const { trees, becomes } = await watching(base)
  expect(trees.problems[0]?.message).toContain('the folder is missing')
  makeTree(join(base, 'aside/fedora'), { checksums: false })
  renameSync(join(base, 'aside'), join(base, 'trees'))
  await becomes('fedora', 'ready')
  expect(trees.problems).toEqual([])
  rmSync(join(base, 'trees'), { recursive: true })
  await trees.rescan()
  expect(trees.trees).toEqual([])
})

test('a look at an id finds a tree at once, without waiting for an event', async () => {
  const base = home()
  const { trees, state } = await watching(base, { times: { ...times, quietMs: 0 } })
  makeTree(join(base, 'trees/fedora/40'), { checksums: false })
  makeTree(join(base, 'trees/fedora/41'), { version: '41', checksums: false })
  await trees.lookAt(['fedora/40', 'absent'])
  // Its images are being read for their digests.
  expect(state('fedora/40')).toMatch(/^(verifying|ready)$/)
  rmSync(join(base, 'trees/fedora/40'), { recursive: true })
  await trees.lookAt(['fedora/40'])
  expect(state('fedora/40')).toBeUndefined()
})

test('a look at an id begins with trees/ itself when that was missing', async () => {
  const base = temporaryFolder()
  const { trees, state } = await watching(base, { times: { ...times, quietMs: 0 } })
  makeTree(join(base, 'trees/fedora'), { checksums: false })
  await trees.lookAt(['fedora'])
  expect(state('fedora')).toMatch(/^(verifying|ready)$/)
})

test('a tree without checksums is ready when its images are read, and has their SHA-256', async () => {
  const base = home()
  const { trees, becomes } = await watching(base)
  makeTree(join(base, 'trees/fedora'), { checksums: false })
  await becomes('fedora', 'ready')
  const [tree] = trees.trees
  const sha256 = (path: string) =>
    createHash('sha256')
      .update(readFileSync(join(base, 'trees/fedora', path)))
      .digest('hex')
  const images = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', 'images/install.img']
  expect(tree?.sha256).toEqual(Object.fromEntries(images.map((path) => [path, sha256(path)])))
  // A new kernel of the same size: never the digest of the old one.
  writeFileSync(join(base, 'trees/fedora/images/pxeboot/vmlinuz'), 'another kernel')
  await trees.rescan()
  await becomes('fedora', 'ready')
  await eventually(() =>
    expect(trees.trees[0]?.sha256['images/pxeboot/vmlinuz']).toBe(sha256('images/pxeboot/vmlinuz')),
  )
})

test('many trees at once', async () => {
  const base = home()
  makeTree(join(base, 'aside'))
  const { trees } = await watching(base)
  for (let count = 0; count < 40; count++)
    cpSync(join(base, 'aside'), join(base, `trees/set/${count}`), { recursive: true })
  await eventually(
    () => expect(trees.trees.filter(({ state }) => state === 'ready').length).toBe(40),
    deadlineMs,
  )
})

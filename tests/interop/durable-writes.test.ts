import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { treesIn, type WorkName } from '../support/publishing-work.ts'
import { bundleChild, runTraced, type SystemCall, type TracedChild, textOf } from '../support/system-calls.ts'
import { makeTree } from '../support/tree-folder.ts'

/**
 * A kill never shows a missing fsync, because the kernel keeps what was written. So the order of the system calls
 * is looked at: write, fsync, rename, fsync of the folder, and only then the promise.
 */

let folder: string
let child: TracedChild
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'treeboot-order-')))
  child = await bundleChild()
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  child.remove()
})
beforeEach(() => {
  requireClient('strace')
  requireRoot()
})

let homes = 0
async function traceOf(
  work: WorkName,
  begin: (home: string) => unknown = () => undefined,
): Promise<readonly SystemCall[]> {
  const home = join(folder, `home${++homes}`)
  makeTree(join(home, 'new'), { version: '41' })
  mkdirSync(join(treesIn(home), '.treeboot/incoming'), { recursive: true })
  await begin(home)
  const { outcome, err, calls } = await runTraced({ child, home, work })
  expect({ outcome, err }).toEqual({ outcome: 'ended', err: '' })
  return calls
}

const byHand = (home: string): void => makeTree(join(treesIn(home), 'x'), { version: '40' })

async function published(home: string): Promise<void> {
  for (const version of ['40', '41']) {
    const path = join(treesIn(home), '.treeboot/incoming', version)
    makeTree(path, { version })
    await new VersionStore(treesIn(home)).publish({ id: 'x', kind: 'folder', path, source: 'a test' })
  }
}

const own = 'trees/.treeboot'
const ofX = `${own}/versions/x`

/** A file that `writeAtomically` replaces, with the sync of its folder. */
function atomicWrite(file: string): string[] {
  const temp = `${dirname(file)}/.${file.slice(dirname(file).length + 1)}.PID.tmp`
  return [`write ${temp}`, `fsync ${temp}`, `rename ${temp} ${file}`, `fsync ${dirname(file)}`]
}

const historyLine = [`write ${ofX}/history`, `fsync ${ofX}/history`, `fsync ${ofX}`, 'said']

/** Checks that these calls come in this order; others may come between them, but no promise. */
function expectOrder(calls: readonly SystemCall[], expected: readonly string[]): void {
  const texts = calls.map((call) => (call.says ? 'said' : textOf(call)))
  let at = 0
  const found = expected.filter((step) => {
    const next = texts.indexOf(step, at)
    const promise = at > 0 ? texts.indexOf('said', at) : -1
    const isFound = next >= 0 && (promise < 0 || next <= promise)
    if (isFound) at = next + 1
    return isFound
  })
  expect(found, texts.filter((text) => text.includes('/')).join('\n')).toEqual(expected)
}

describe('a version', () => {
  const placed = (number: number, from: string): string[] => [
    ...atomicWrite(`${ofX}/${number}.json`),
    `rename ${from} ${ofX}/${number}`,
    `fsync ${ofX}/${number}`,
    `fsync ${ofX}`,
    `fsync ${own}/versions`,
  ]
  const linked = [`symlink ${own}/switch-x-PID`, `rename ${own}/switch-x-PID trees/x`, 'fsync trees']

  test('import: files, folders, record, content, link, history, promise', async () => {
    const calls = await traceOf('import', published)
    const tree = `${own}/incoming/job/tree`
    const kernels = `${tree}/images/pxeboot`
    for (const file of [`${kernels}/vmlinuz`, `${kernels}/initrd.img`])
      expectOrder(calls, [`fdatasync ${file}`, `fsync ${kernels}`])
    expectOrder(calls, [`fdatasync ${tree}/images/install.img`, `fsync ${tree}/images`])
    expectOrder(calls, [
      ...[`fsync ${kernels}`, `fsync ${tree}/images`, `fdatasync ${tree}/.treeinfo`, `fsync ${tree}`],
      ...placed(3, tree),
      ...linked,
      ...historyLine,
    ])
  })

  test('import --replace: both records, then both names at once', async () => {
    const calls = await traceOf('replace', byHand)
    expectOrder(calls, [
      ...placed(2, `${own}/incoming/job/tree`),
      ...atomicWrite(`${ofX}/1.json`),
      `symlink ${ofX}/1`,
      `renameat2 ${ofX}/1 trees/x`,
      'fsync trees',
      `fsync ${ofX}`,
      ...historyLine,
    ])
  })

  test('upload', async () => {
    const calls = await traceOf('upload')
    expectOrder(calls, [...placed(1, `${own}/incoming/uploads/x`), ...linked, ...historyLine])
  })

  test('rollback: the line first, then the link', async () => {
    const calls = await traceOf('rollback', published)
    expectOrder(calls, [...historyLine.slice(0, -1), ...linked, 'said'])
  })
})

test('an uploaded file: its record before its bytes, its name before its promise', async () => {
  const calls = await traceOf('upload')
  const upload = `${own}/incoming/uploads/x/images`
  const partial = `${own}/incoming/uploads-partial`
  const record = calls.flatMap((call) => (call.name === 'unlink' ? call.paths : []))[1] ?? ''
  expect(dirname(record)).toBe(partial)
  expectOrder(calls, [
    `mkdir ${upload}`,
    `fsync ${dirname(upload)}`,
    ...atomicWrite(record),
    `openat ${upload}/install.img`,
    `pwrite64 ${upload}/install.img`,
    `fdatasync ${upload}/install.img`,
    `fsync ${upload}`,
    `unlink ${record}`,
    `fsync ${partial}`,
    'said',
  ])
})

describe('a file of the data folder, which is made before', () => {
  const made = ['mkdir data', 'fsync .']
  const linkedTemp = (name: string): string[] => [
    `write data/.${name}.PID.tmp`,
    `fsync data/.${name}.PID.tmp`,
    `link data/.${name}.PID.tmp data/${name}`,
    'fsync data',
  ]
  test.each([
    ['token', [...made, ...linkedTemp('admin-token'), 'said']],
    ['nfs-key', [...made, ...linkedTemp('nfs-key'), 'openat data/nfs-handles', 'fsync data', 'said']],
    ['cache', [...made, ...atomicWrite('data/verified.json'), 'said']],
  ] as const)('%s', async (work, order) => {
    expectOrder(await traceOf(work), order)
  })
})

/** What need not be durable: a lock, a temporary name, and what an interrupted import makes again. */
const passing = /\.lock$|\.tmp$|\/switch-x-PID$|\/incoming\/job|\/versions\/x\/\d+$/

test.each([
  ['import', published],
  ['replace', byHand],
  ['upload', byHand],
  ['rollback', published],
  ['token', () => undefined],
  ['nfs-key', () => undefined],
  ['cache', () => undefined],
] as const)('%s: each name that was made is durable before the promise', async (work, begin) => {
  const calls = await traceOf(work, begin)
  const end = calls.findLastIndex((call) => call.says)
  const unsynced = calls.flatMap((call, at) =>
    call.makes
      .filter((name) => at < end && !passing.test(name))
      .filter((name) => {
        const above = dirname(name)
        return !calls.slice(at, end).some((later) => /^fsync/.test(later.name) && later.paths[0] === above)
      }),
  )
  expect(unsynced).toEqual([])
})

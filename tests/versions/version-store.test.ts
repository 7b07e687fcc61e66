import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LiveTrees } from '../../server/catalog/scan/live-trees.ts'
import type { BootTestResult } from '../../server/core/boottest/result.ts'
import type { Event } from '../../server/events/bus.ts'
import { type BootGate, publishTree } from '../../server/intake/publish-tree.ts'
import { VerifyCache } from '../../server/verify/verify-cache.ts'
import { planGc } from '../../server/versions/gc.ts'
import { folderOfId, folderOfVersion } from '../../server/versions/layout.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { eventually } from '../support/eventually.ts'
import { imagesOfTree, makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

function inputs() {
  const base = temporaryFolder()
  const trees = join(base, 'trees')
  mkdirSync(join(trees, '.treeboot/incoming'), { recursive: true })
  let nowMs = Date.UTC(2026, 0, 1)
  const store = new VersionStore(trees, () => nowMs)
  let staged = 0
  const stage = (version: string): string => {
    const folder = join(trees, '.treeboot/incoming', `job${++staged}`)
    makeTree(folder, { version })
    return folder
  }
  const publish = (id: string, version: string, options: { readonly replace?: boolean } = {}) =>
    store.publish({ id, kind: 'folder', path: stage(version), source: 'a test', ...options })
  const kernel = (id: string) => readFileSync(join(trees, id, 'images/pxeboot/vmlinuz'), 'utf8')
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { base, trees, store, stage, publish, kernel, pass, now: () => nowMs }
}

const hourMs = 3_600_000

test('publishing switches the public name to a new version and keeps the one before', async () => {
  const { store, publish, kernel, pass } = inputs()
  await publish('fedora', '40')
  pass(1000)
  const second = await publish('fedora', '41')
  expect(kernel('fedora')).toBe(imagesOfTree({ version: '41' })['images/pxeboot/vmlinuz'])
  expect(second).toMatchObject({ id: 'fedora', version: 2, kind: 'folder', files: 4, source: 'a test' })
  const versions = await store.versions('fedora')
  expect(versions.map(({ version, current }) => ({ version, current }))).toEqual([
    { version: 1, current: false },
    { version: 2, current: true },
  ])
  expect(versions[0]?.retiredMs).toBe(Date.UTC(2026, 0, 1) + 1000)
})

test('rollback goes to the version before, and back again by number', async () => {
  const { store, publish, kernel } = inputs()
  await publish('a/b', '40')
  await publish('a/b', '41')
  expect((await store.rollback('a/b')).version).toBe(1)
  expect(kernel('a/b')).toContain('40')
  await expect(store.rollback('a/b', 1)).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringMatching(/version 1 of a\/b/),
  })
  await expect(store.rollback('a/b', 7)).rejects.toMatchObject({
    kind: 'not-found',
    message: expect.stringMatching(/a\/b .*version 7; it has 1, 2/),
  })
  expect((await store.rollback('a/b', 2)).version).toBe(2)
  expect(kernel('a/b')).toContain('41')
})

test('a folder placed by hand is left alone, and with replace becomes an earlier version', async () => {
  const { trees, store, publish, kernel } = inputs()
  makeTree(join(trees, 'mine'), { version: '39' })
  await expect(publish('mine', '40')).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringMatching(/a folder .* trees\/mine; .*"replace"/),
  })
  expect(kernel('mine')).toContain('39')
  await publish('mine', '40', { replace: true })
  expect(kernel('mine')).toContain('40')
  await store.rollback('mine')
  expect(kernel('mine')).toContain('39')
})

test.each([
  ['../x', 'not searched'],
  ['.hidden', 'not searched'],
  ['a//b', 'is empty'],
  ['has blank', 'a blank'],
  ['-rf', 'begins with "-"'],
  ['a/b/c/d/e/f/g/h/i', 'deep'],
  ['Packages', 'not searched'],
])('refuses the id %s', async (id, why) => {
  const { store } = inputs()
  await expect(store.checkIdIsFree(id)).rejects.toMatchObject({
    kind: 'bad-request',
    message: expect.stringMatching(why),
  })
})

test('nothing is published through a link that leads elsewhere, nor inside another tree', async () => {
  const { base, trees, publish } = inputs()
  mkdirSync(join(base, 'elsewhere'))
  symlinkSync(join(base, 'elsewhere'), join(trees, 'link'))
  await expect(publish('link/x', '40')).rejects.toMatchObject({ kind: 'conflict' })
  await publish('fedora', '40')
  await expect(publish('fedora/40', '40')).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringMatching(/^fedora is a tree/),
  })
  expect(existsSync(join(base, 'elsewhere/x'))).toBe(false)
})

test('a crash between moving and switching is finished by the next start, once', async () => {
  const { trees, store, publish, stage, kernel } = inputs()
  const first = await publish('fedora', '40')
  // As the disk is when the process dies after the move.
  const folder = folderOfVersion(trees, 'fedora', 2)
  const record = { ...first, version: 2 }
  writeFileSync(join(folderOfId(trees, 'fedora'), '2.json'), JSON.stringify(record))
  renameSync(stage('41'), folder)
  expect(kernel('fedora')).toContain('40')
  expect(await store.recover()).toEqual(['fedora'])
  expect(kernel('fedora')).toContain('41')
  await store.rollback('fedora')
  expect(await store.recover()).toEqual([])
  expect(kernel('fedora')).toContain('40')
})

test('gc keeps the current, previous, pinned and recent versions, and counts no file that they share', async () => {
  const { trees, store, publish, pass, now } = inputs()
  for (const version of ['38', '39', '40', '41']) {
    await publish('fedora', version)
    pass(2 * hourMs)
  }
  const big = join(folderOfVersion(trees, 'fedora', 1), 'big')
  await writeFile(big, Buffer.alloc(1 << 20, 1))
  linkSync(big, join(folderOfVersion(trees, 'fedora', 4), 'big'))
  const options = { keep: 1, graceMs: 24 * hourMs, pinned: new Set<string>(), nowMs: now() }
  expect((await planGc(store, ['fedora'], options)).remove).toEqual([])
  const later = { ...options, nowMs: now() + 30 * hourMs, pinned: new Set(['fedora@2']) }
  const plan = await planGc(store, ['fedora'], later)
  expect(plan.remove.map(({ version }) => version)).toEqual([1])
  expect(plan.stay.map(({ version, why }) => `${version.version}: ${why}`)).toEqual([
    '3: the one to roll back to',
    '2: a machine is installing from it',
  ])
  expect(plan.bytes).toBeGreaterThan(0)
  expect(plan.bytes).toBeLessThan(1 << 20)
  await store.remove('fedora', 1)
  expect((await store.versions('fedora')).map(({ version }) => version)).toEqual([2, 3, 4])
  await expect(store.remove('fedora', 4)).rejects.toMatchObject({ kind: 'conflict' })
})

test('gc keeps the version that rollback goes to, not the one with the highest number', async () => {
  const { store, publish, pass, now } = inputs()
  for (const version of ['38', '39', '40']) await publish('fedora', version)
  pass(hourMs)
  await store.rollback('fedora', 1)
  pass(hourMs)
  await publish('fedora', '41')
  const options = { keep: 1, graceMs: 0, pinned: new Set<string>(), nowMs: now() + hourMs }
  const { stay } = await planGc(store, ['fedora'], options)
  expect(stay.map(({ version }) => version.version)).toEqual([1])
  expect((await store.rollback('fedora')).version).toBe(1)
})

test('during a switch the public name leads to a whole tree at any moment', async () => {
  const { trees, publish } = inputs()
  await publish('fedora', '1')
  let looks = 0
  let done = false
  const watcher = (async () => {
    while (!done) {
      const text = readFileSync(join(trees, 'fedora/.treeinfo'), 'utf8')
      if (!lstatSync(join(trees, 'fedora')).isSymbolicLink() || !text.includes('[checksums]'))
        throw new Error('half a tree')
      looks++
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  for (let version = 2; version <= 5; version++) await publish('fedora', String(version))
  done = true
  await watcher
  expect(looks).toBeGreaterThan(3)
})

test('a running server shows a new version at once, and the tree stays ready', async () => {
  const { base, trees, publish } = inputs()
  await publish('fedora', '40')
  const events: Event[] = []
  const live = new LiveTrees({
    folder: trees,
    cache: new VerifyCache(join(base, 'data')),
    clock: Date.now,
    times: { quietMs: 1000, missingGraceMs: 30_000 },
    rescanMs: 60_000,
    emit: (event) => events.push(event),
    onChange: () => undefined,
  })
  onTestFinished(() => live.stop())
  await live.start()
  const version = () => live.trees.map((tree) => `${tree.id} ${tree.version} ${tree.state}`)
  expect(version()).toEqual(['fedora 40 ready'])
  for (const next of ['41', '42', '43']) {
    await publish('fedora', next)
    await eventually(() => expect(version()).toEqual([`fedora ${next} ready`]))
  }
  expect(events.flatMap((event) => (event.type === 'tree' ? [event.state] : []))).toEqual(['ready'])
})

test('a damaged tree is not published, unless somebody accepts its faults', async () => {
  const { trees, store, stage } = inputs()
  const path = stage('40')
  writeBelow(path, 'images/pxeboot/vmlinuz', 'kernel of 99\n')
  const candidate = { id: 'fedora', kind: 'folder', path, trees: ['.'], source: 'a test' } as const
  const refused = await publishTree(store, candidate)
  expect(refused.outcome).toBe('refused')
  expect(refused.findings[0]).toMatchObject({ severity: 'error', path: 'images/pxeboot/vmlinuz' })
  expect(existsSync(join(trees, 'fedora'))).toBe(false)
  const taken = await publishTree(store, { ...candidate, accept: { by: 'ada', why: 'own kernel' } })
  expect(taken.outcome === 'published' && taken.record.accepted).toMatchObject({
    by: 'ada',
    why: 'own kernel',
    paths: ['images/pxeboot/vmlinuz'],
  })
})

describe('a version that is booted before it is published', () => {
  const passed = { firmware: 'bios', outcome: 'passed', reached: ['kernel', 'initrd'], ms: 7000 } as const
  const failed = { firmware: 'direct', outcome: 'failed', why: 'the kernel panicked' } as const
  const impossible = { firmware: 'secure-boot', outcome: 'impossible', why: 'ovmf is missing' } as const

  function gated(results: readonly BootTestResult[], required: boolean) {
    const { trees, store, stage } = inputs()
    const path = stage('40')
    const asked: string[] = []
    const bootGate: BootGate = {
      required,
      test: async (version) => {
        asked.push(version.path)
        // Nobody is offered it meanwhile.
        expect(existsSync(join(trees, 'fedora'))).toBe(false)
        return results
      },
    }
    const request = { id: 'fedora', kind: 'folder', path, trees: ['.'], source: 'a test', bootGate } as const
    return { trees, store, path, asked, request }
  }

  test('has the results in its record', async () => {
    const { trees, store, path, asked, request } = gated([passed], true)
    const result = await publishTree(store, request)
    expect(asked).toEqual([path])
    expect(result.outcome).toBe('published')
    const record = JSON.parse(readFileSync(`${folderOfVersion(trees, 'fedora', 1)}.json`, 'utf8'))
    expect(record.bootTest).toEqual([passed])
  })

  test.each([
    ['a machine failed', [passed, failed], false, failed.why],
    ['one could not be tested, and the test is required', [passed, impossible], true, impossible.why],
  ])('is refused when %s', async (_, results, required, why) => {
    const { trees, store, request } = gated(results, required)
    const { outcome, findings } = await publishTree(store, request)
    expect({ outcome, there: existsSync(join(trees, 'fedora')) }).toEqual({
      outcome: 'refused',
      there: false,
    })
    expect(findings.find(({ path }) => path === 'the boot test')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining(why),
    })
  })

  test('is published with a warning when one could not be tested and need not be', async () => {
    const { store, request } = gated([passed, impossible], false)
    const { outcome, findings } = await publishTree(store, request)
    expect(outcome).toBe('published')
    expect(findings.find(({ path }) => path === 'the boot test')?.severity).toBe('warning')
  })

  test('goes past the test when somebody accepts it, and the record says so', async () => {
    const { store, asked, request } = gated([failed], true)
    const taken = await publishTree(store, { ...request, accept: { by: 'ada', why: 'no KVM' } })
    expect(asked).toEqual([])
    expect(taken.outcome === 'published' && taken.record.accepted).toMatchObject({
      why: 'no KVM',
      faults: ['the boot test was not run'],
    })
  })

  test('is not booted while its files are wrong', async () => {
    const { store, path, asked, request } = gated([passed], true)
    writeBelow(path, 'images/pxeboot/vmlinuz', 'kernel of 99\n')
    expect((await publishTree(store, request)).outcome).toBe('refused')
    expect(asked).toEqual([])
  })
})

test('content that is not a tree is refused', async () => {
  const { trees, store } = inputs()
  const path = join(trees, '.treeboot/incoming/junk')
  await mkdir(path)
  writeBelow(path, 'README', 'nothing')
  const refused = await publishTree(store, { id: 'x', kind: 'folder', path, trees: ['.'], source: 'a test' })
  expect(refused.outcome).toBe('refused')
  expect(refused.findings).toMatchObject([{ severity: 'error', path: '.' }])
})

test('a tree that is withdrawn stays away at the next start, also without its history, and comes back as it was', async () => {
  const { trees, store, publish, kernel, pass } = inputs()
  await publish('fedora', '40')
  pass(1000)
  await publish('fedora', '41')
  pass(1000)
  await publish('fedora', '42')
  await store.rollback('fedora', 2)
  rmSync(join(folderOfId(trees, 'fedora'), 'history'))
  expect(await store.withdraw('fedora')).toMatchObject({ version: 2 })
  expect(existsSync(join(trees, 'fedora'))).toBe(false)
  expect(await new VersionStore(trees).recover()).toEqual([])
  await expect(store.withdraw('fedora')).rejects.toMatchObject({ kind: 'conflict' })
  expect((await store.versions('fedora')).map(({ current }) => current)).toEqual([false, false, false])
  expect(await store.rollback('fedora')).toMatchObject({ version: 2 })
  expect(kernel('fedora')).toBe(imagesOfTree({ version: '41' })['images/pxeboot/vmlinuz'])
})

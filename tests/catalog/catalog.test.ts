import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Catalog } from '../../server/catalog/catalog.ts'
import { ConfigError } from '../../server/config/problems.ts'
import type { Event } from '../../server/events/bus.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { eventually } from '../support/eventually.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const deadlineMs = 8000
const oneGuest = 'guests:\n  web01: { mac: 52:54:00:aa:bb:01, tree: fedora-40, template: fedora.ks }\n'

async function started(cwd: string) {
  const events: Event[] = []
  const catalog = new Catalog({
    cwd,
    events: { emit: (event) => events.push(event) },
    settle: { quietMs: 100, missingGraceMs: 200 },
  })
  onTestFinished(() => catalog.stop())
  await catalog.start()
  const shows = (judge: () => void) => eventually(judge, deadlineMs)
  return { catalog, events, shows }
}

function home(): string {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', oneGuest)
  writeBelow(cwd, 'kickstart-templates/fedora.ks', 'text\n')
  makeTree(join(cwd, 'trees/fedora-40'), { checksums: false })
  return cwd
}

test('the first snapshot has everything, and stays as it was when a new one replaces it', async () => {
  const cwd = home()
  const { catalog, shows } = await started(cwd)
  const first = catalog.snapshot
  expect(first.trees.all.map(({ id }) => id)).toEqual(['fedora-40'])
  expect(first.guests.byName('web01')).toBeDefined()
  expect([...first.templates.keys()]).toEqual(['fedora.ks'])
  const generations: number[] = []
  const unsubscribe = catalog.onChange(({ generation }) => generations.push(generation))
  makeTree(join(cwd, 'trees/fedora-41'), { version: '41', checksums: false })
  await shows(() =>
    expect(catalog.snapshot.trees.select({ distro: 'fedora', version: '41' }).found).toBe(true),
  )
  unsubscribe()
  expect(first.trees.all.length).toBe(1)
  expect(generations).toEqual(generations.map((_, index) => first.generation + 1 + index))
  expect(catalog.snapshot.trees.byId('fedora-40')?.state).toBe('ready')
})

test('a guest whose tree is not there yet is a problem until it comes', async () => {
  const cwd = home()
  renameSync(join(cwd, 'trees/fedora-40'), join(cwd, 'aside'))
  const { catalog, shows } = await started(cwd)
  expect(catalog.snapshot.problems).toMatchObject([{ severity: 'error' }])
  renameSync(join(cwd, 'aside'), join(cwd, 'trees/fedora-40'))
  await shows(() => expect(catalog.snapshot.problems).toEqual([]))
})

test('a changed configuration takes effect; after a broken edit the last good one stays', async () => {
  const cwd = home()
  const { catalog, events, shows } = await started(cwd)
  writeFileSync(join(cwd, 'config.yaml'), oneGuest.replace('web01', 'web02'))
  await shows(() => expect(catalog.snapshot.guests.all.map(({ name }) => name)).toEqual(['web02']))
  writeFileSync(join(cwd, 'config.yaml'), 'guests: [')
  await shows(() =>
    expect(
      events.find((event) => event.type === 'config' && event.outcome === 'kept-last-good'),
    ).toBeDefined(),
  )
  expect(catalog.snapshot.guests.all.map(({ name }) => name)).toEqual(['web02'])
  writeFileSync(join(cwd, 'config.yaml'), oneGuest)
  await shows(() => expect(catalog.snapshot.guests.byName('web01')).toBeDefined())
})

test('other paths take effect at once, a changed service after a restart', async () => {
  const cwd = home()
  makeTree(join(cwd, 'other/fedora-39'), { version: '39', checksums: false })
  const { catalog, events, shows } = await started(cwd)
  writeFileSync(join(cwd, 'config.yaml'), 'paths: { trees: ./other }\nhttp: { port: 9999 }\n')
  await shows(() => expect(catalog.snapshot.trees.all.map(({ id }) => id)).toEqual(['fedora-39']))
  expect(catalog.snapshot.config.paths.trees).toBe(join(cwd, 'other'))
  const messages = () => events.filter((event) => event.type === 'trouble').map(({ message }) => message)
  expect(messages()).toEqual([expect.stringMatching(/^http\.port: .*restart/)])
  // No message for a key that services read at each use, or for a value that is again as it was at the start.
  const knownOnly = 'paths: { trees: ./other }\nhttp: { port: 9999 }\ndhcp: { known-only: true }\n'
  writeFileSync(join(cwd, 'config.yaml'), knownOnly)
  await shows(() => expect(catalog.snapshot.config.dhcp.knownOnly).toBe(true))
  writeFileSync(join(cwd, 'config.yaml'), 'paths: { trees: ./other }\n')
  await shows(() => expect(catalog.snapshot.config.http.port).toBe(8080))
  expect(messages()).toHaveLength(1)
  rmSync(join(cwd, 'other/fedora-39'), { recursive: true })
  await shows(() => expect(catalog.snapshot.trees.all).toEqual([]))
})

test('templates that are written, changed and deleted show in the snapshot', async () => {
  const cwd = home()
  const { catalog, shows } = await started(cwd)
  const text = (name: string) => catalog.snapshot.templates.get(name)
  writeBelow(cwd, 'kickstart-templates/fedora.ks', 'graphical\n')
  await shows(() => expect(text('fedora.ks')).toBe('graphical\n'))
  writeBelow(cwd, 'kickstart-templates/snippets/users.ks', 'rootpw\n')
  await shows(() => expect(text('snippets/users.ks')).toBe('rootpw\n'))
  rmSync(join(cwd, 'kickstart-templates/fedora.ks'))
  await shows(() => expect(catalog.snapshot.problems).toMatchObject([{ severity: 'error' }]))
})

test('rescan shows what was done a moment ago', async () => {
  const cwd = home()
  const { catalog } = await started(cwd)
  mkdirSync(join(cwd, 'aside'))
  renameSync(join(cwd, 'trees/fedora-40'), join(cwd, 'aside/fedora-40'))
  writeBelow(cwd, 'kickstart-templates/new.ks', 'new\n')
  await catalog.rescan()
  expect(catalog.snapshot.trees.all).toEqual([])
  expect(catalog.snapshot.templates.get('new.ks')).toBe('new\n')
})

test('a published version is in the snapshot as soon as a look at its id resolves', async () => {
  const cwd = home()
  const { catalog } = await started(cwd)
  const trees = join(cwd, 'trees')
  const store = new VersionStore(trees)
  for (const version of ['41', '42']) {
    const path = join(cwd, 'staged')
    makeTree(path, { version })
    await store.publish({ id: 'published/fedora', kind: 'folder', path, source: 'a test' })
    await catalog.lookNow(['published/fedora'])
    expect(catalog.snapshot.trees.byId('published/fedora')).toMatchObject({ version, state: 'ready' })
  }
  expect(catalog.snapshot.trees.earlier).toMatchObject([{ version: '41' }])
})

test('a broken configuration at the start is an error', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: [')
  const catalog = new Catalog({ cwd, events: { emit: () => undefined } })
  await expect(catalog.start()).rejects.toThrow(ConfigError)
  await catalog.stop()
})

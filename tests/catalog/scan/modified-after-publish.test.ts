import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSnapshot } from '../../../server/catalog/load-snapshot.ts'
import type { Event } from '../../../server/events/bus.ts'
import { testApp } from '../../support/app.ts'
import { treebootIn } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { makeTree, temporaryFolder } from '../../support/tree-folder.ts'

/** A server without trees, on a port of its own. */
function home(): string {
  const cwd = temporaryFolder()
  mkdirSync(join(cwd, 'trees'))
  const off = '{ enabled: false }'
  writeFileSync(
    join(cwd, 'config.yaml'),
    `server: { bind: 127.0.0.1 }\nhttp: { port: 0 }\nftp: ${off}\ntftp: ${off}\nnfs: ${off}\n`,
  )
  return cwd
}

test('a published tree was verified, so it has the SHA-256 of its images from its first moment', async () => {
  const cwd = home()
  // As in a release of two trees: one lies below the other in the version.
  makeTree(join(cwd, 'from/BaseOS/os'), { checksums: false })
  expect(await treebootIn(cwd, 'import', 'from', '--id', 'alma')).toMatchObject({ code: 0 })
  const sha256 = (path: string) =>
    createHash('sha256')
      .update(readFileSync(join(cwd, 'from/BaseOS/os', path)))
      .digest('hex')
  const images = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', 'images/install.img']
  // A look that computes no digest.
  const { trees } = await loadSnapshot({ cwd })
  expect(trees.all.map((tree) => [tree.state, tree.sha256])).toEqual([
    ['ready', Object.fromEntries(images.map((path) => [path, sha256(path)]))],
  ])
})

test('a published tree that was damaged later is verified again, and not offered before that', async () => {
  const cwd = home()
  makeTree(join(cwd, 'from'), { version: '40' })
  const app = testApp(cwd)
  const states: string[] = []
  app.events.subscribe((event: Event) => {
    if (event.type === 'tree' && event.id === 'f40') states.push(event.state)
  })
  onTestFinished(() => app.stop())
  await app.start()
  expect(await treebootIn(cwd, 'import', 'from', '--id', 'f40')).toMatchObject({ code: 0 })
  const becomes = (state: string) =>
    eventually(() => expect(app.snapshot().trees.byId('f40')?.state).toBe(state), 20_000)
  await becomes('ready')
  states.length = 0
  const file = openSync(join(cwd, 'trees/f40/images/install.img'), 'r+')
  const position = 3
  writeSync(file, 'X', position)
  closeSync(file)
  await becomes('broken')
  expect(states).not.toContain('ready')
  expect(states.at(-1)).toBe('broken')
})

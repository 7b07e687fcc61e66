import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requireRoot } from '../support/clients.ts'
import { makeTree, temporaryFolder } from '../support/tree-folder.ts'

const repository = join(import.meta.dirname, '../..')
/** The numbers of `nobody` on every distribution. */
const nobody = { uid: 65534, gid: 65534 }

/** Root may read every file, so the command runs as another user. */
function asNobody(cwd: string, ...args: string[]) {
  const tsx = join(repository, 'node_modules/tsx/dist/loader.mjs')
  const main = join(repository, 'server/main.ts')
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, main, ...args], {
    cwd,
    encoding: 'utf8',
    ...nobody,
  })
  expect(stderr).toBe('')
  return stdout
}

test.each([
  ['with digests', 'images/pxeboot/vmlinuz', true],
  ['without digests', 'images/pxeboot/vmlinuz', false],
  ['without digests', 'images/pxeboot/initrd.img', false],
  ['without digests', 'images/install.img', false],
])('a tree %s is broken while its %s cannot be read, and says what to do', (_, file, checksums) => {
  requireRoot()
  const cwd = temporaryFolder()
  const folder = join(cwd, 'trees/fedora-40')
  makeTree(folder, { checksums })
  chmodSync(cwd, 0o755)
  chmodSync(join(folder, file), 0)
  for (const options of [[], ['--no-verify']]) {
    const out = asNobody(cwd, 'trees', ...options)
    expect(out).toMatch(/^broken +fedora-40/m)
    expect(out).toContain(`fedora-40: ${file} cannot be read by this user: change its mode or owner`)
  }
  chmodSync(join(folder, file), 0o644)
  expect(asNobody(cwd, 'trees')).toMatch(/^ready +fedora-40/m)
})

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSnapshot } from '../../../server/catalog/load-snapshot.ts'
import { makeDemoFolder } from '../../../server/cli/demo/demo-folder.ts'
import type { Installer } from '../../../server/cli/demo/installer.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tb-demo-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** An unpacked installer, with a link to its loader as the package has one. */
function makeInstaller(): Installer {
  const root = join(folder, 'installer')
  const netboot = join(root, 'debian-installer/amd64')
  mkdirSync(netboot, { recursive: true })
  for (const name of ['linux', 'initrd.gz', 'pxelinux.0']) writeFileSync(join(netboot, name), name)
  symlinkSync('debian-installer/amd64/pxelinux.0', join(root, 'pxelinux.0'))
  return {
    id: '12-1',
    arch: 'amd64',
    release: '12',
    codename: 'bookworm',
    folder: root,
    kernel: join(netboot, 'linux'),
    initrd: join(netboot, 'initrd.gz'),
  }
}

test('the demo folder has a configuration without problems, and one ready tree that its guest installs from', async () => {
  const templates = join(import.meta.dirname, '../../../kickstart-templates')
  const demo = makeDemoFolder(folder, makeInstaller(), templates)
  for (const config of ['here.yaml', 'lan.yaml']) {
    const snapshot = await loadSnapshot({ cwd: folder, configFile: join(folder, config) })
    expect(snapshot.problems).toEqual([])
    expect(snapshot.trees.all.map(({ id, version, state }) => ({ id, version, state }))).toEqual([
      { id: demo.tree, version: '12', state: 'ready' },
    ])
    expect(snapshot.guests.all.map(({ name, macs }) => [name, ...macs])).toEqual([[demo.guest, demo.mac]])
  }
  expect(readFileSync(join(folder, 'tftpboot/pxelinux.0'), 'utf8')).toBe('pxelinux.0')
})

test('making it again leaves no tree of an older release', () => {
  const installer = makeInstaller()
  makeDemoFolder(folder, { ...installer, codename: 'bullseye' }, 'templates')
  makeDemoFolder(folder, installer, 'templates')
  expect(existsSync(join(folder, 'trees/debian/dists/bullseye'))).toBe(false)
  expect(existsSync(join(folder, 'trees/debian/dists/bookworm'))).toBe(true)
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSnapshot } from '../../server/catalog/load-snapshot.ts'
import { loaderProblems, loadersOnDisk } from '../../server/cli/loader-choice.ts'
import type { LoaderFile } from '../../server/core/loader/files.ts'
import { LoaderMemory } from '../../server/machines/loader-memory.ts'
import { explainLoader } from '../../server/machines/network-boot.ts'
import { keptFolder, makeTree, writeBelow } from '../support/tree-folder.ts'

let home: ReturnType<typeof keptFolder>
beforeEach(() => {
  home = keptFolder()
  for (const name of ['tftpboot', 'host']) mkdirSync(join(home.path, name))
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
})
afterEach(() => home.remove())

/** The packages of a host: only those exist that a test writes into the folder `host`. */
const hostFiles = (): LoaderFile[] =>
  ['undionly.kpxe', 'snponly.efi', 'shimx64.efi'].map((name) => ({
    name,
    what: name,
    places: [join(home.path, 'host', name)],
    packages: {},
  }))

async function snapshotWith(settings: string, files: readonly string[]) {
  for (const file of files) writeBelow(home.path, file, 'loader')
  const lines = [
    'profiles:',
    `  base: { tree: fedora-40, ${settings} }`,
    'guests:',
    '  web01: { profile: base }',
  ]
  writeFileSync(join(home.path, 'config.yaml'), [...lines, '  web02: { profile: base }', ''].join('\n'))
  // The files were made just now, and nobody is still copying them.
  return loadSnapshot({ cwd: home.path, settle: { quietMs: 10 } })
}

const chain = ['trees/fedora-40/EFI/BOOT/BOOTX64.EFI', 'trees/fedora-40/EFI/BOOT/grubx64.efi']
const everywhere = [...chain, 'tftpboot/shimx64.efi', 'host/shimx64.efi', 'host/snponly.efi']

/** What a UEFI machine of web01 is sent, and why. */
async function sent(settings: string, files: readonly string[]) {
  const snapshot = await snapshotWith(settings, files)
  const parts = {
    services: () => ({ http: { port: 8080 }, tftp: { port: 69 } }),
    loaderExists: loadersOnDisk(snapshot, hostFiles()),
    machines: { loaders: new LoaderMemory(), stateOf: () => undefined },
  }
  const guest = snapshot.guests.byName('web01')
  const machine = { snapshot, guest, firmware: 'uefi-x64', serverAddress: '192.0.2.1' } as const
  const { file, why } = await explainLoader(parts, machine)
  return `${file} <- ${why}`
}

describe('what a machine is sent', () => {
  test.each([
    ['template: x', 'snponly.efi <- the default for uefi-x64'],
    ['loader: grub', 'boot/loader/fedora-40/shimx64.efi <- loader: grub; the chain of its own tree'],
    ['loader: grub, loader-from: tftpboot', 'shimx64.efi <- loader: grub; loader-from: tftpboot'],
    ['loader: grub, loader-from: host', 'boot/loader/.host/shimx64.efi <- loader: grub; loader-from: host'],
    ['loader-from: tftpboot', 'shimx64.efi <- the default for uefi-x64; loader-from: tftpboot'],
    [
      'loader-from: tree',
      'boot/loader/fedora-40/shimx64.efi <- the default for uefi-x64; the chain of its own tree; loader-from: tree',
    ],
  ])('%s', async (settings, line) => {
    expect(await sent(settings, everywhere)).toBe(line)
  })

  test('a file of the host does not pass for one of the operator', async () => {
    expect(await sent('loader: grub, loader-from: tftpboot', ['host/shimx64.efi'])).toBe(
      'shimx64.efi <- loader: grub; loader-from: tftpboot has none that would do',
    )
  })
})

describe('treeboot check', () => {
  const problems = async (settings: string, files: readonly string[]) =>
    loaderProblems(await snapshotWith(settings, files), hostFiles())

  test.each(['tree', 'tftpboot', 'host'])('says once that %s has no loader', async (origin) => {
    const others = everywhere.filter((file) => !file.startsWith(origin === 'tree' ? 'trees' : origin))
    expect(await problems(`loader-from: ${origin}`, others)).toMatchObject([
      {
        severity: 'warning',
        where: 'profile base (config.yaml:2)',
        message: expect.stringMatching(`^loader-from: ${origin}, but .*; other loaders are sent$`),
      },
    ])
    expect(await problems(`loader-from: ${origin}`, everywhere)).toEqual([])
  })

  test('counts only the kind that is asked for, and nothing where no place is chosen', async () => {
    const files = ['tftpboot/undionly.kpxe']
    expect(await problems('loader-from: tftpboot', files)).toEqual([])
    expect(await problems('loader: grub, loader-from: tftpboot', files)).toMatchObject([
      { message: expect.stringMatching('for loader: grub') },
    ])
    expect(await problems('loader: grub', [])).toEqual([])
  })
})

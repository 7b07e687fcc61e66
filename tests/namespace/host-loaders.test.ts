import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LoaderFile } from '../../server/core/loader/files.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { readWhole } from '../../server/files/read-whole.ts'
import { hostLoadersSource, treeLoadersSource } from '../../server/namespace/host-loaders.ts'
import { debian12, fakeTreeIndex, fedora40, makeTree } from '../support/boot-inputs.ts'

describe('loaders in the namespace', () => {
  const who = { protocol: 'tftp', address: '192.0.2.7' } as const
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'treeboot-loaders-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('of the host: the first place that has it, under one name, and gone when its package is', async () => {
    const first = join(folder, 'a/snponly.efi')
    const second = join(folder, 'b/ipxe-snponly-x86_64.efi')
    const file: LoaderFile = { name: 'snponly.efi', what: '', places: [first, second], packages: {} }
    const source = hostLoadersSource([file])
    const path = cleanPath('/snponly.efi')
    expect(await source.stat(path, who)).toBeUndefined()
    mkdirSync(join(folder, 'b'))
    writeFileSync(second, 'fedora')
    expect(await source.stat(path, who)).toMatchObject({ name: 'snponly.efi', kind: 'file', size: 6 })
    // Debian's shim is a link that leads elsewhere.
    mkdirSync(join(folder, 'a'))
    writeFileSync(join(folder, 'real'), 'debian!')
    symlinkSync(join(folder, 'real'), first)
    const entry = await source.stat(path, who)
    expect(entry && Buffer.from(await readWhole(entry)).toString()).toBe('debian!')
    expect((await source.list(cleanPath('/'), who))?.map(({ name }) => name)).toEqual(['snponly.efi'])
    rmSync(first)
    expect(await source.stat(path, who)).toMatchObject({ size: 6 })
  })

  test('of a tree: shim and its second stage beside it, from wherever the distribution keeps them', async () => {
    const suse = makeTree('leap')
    const hidden = makeTree('copying', { state: 'incoming' })
    const trees = fakeTreeIndex([fedora40, debian12, suse, hidden])
    const files = memorySource({
      [`/${fedora40.id}/EFI/BOOT/BOOTX64.EFI`]: 'fedora shim',
      [`/${fedora40.id}/EFI/BOOT/grubx64.efi`]: 'fedora grub',
      '/debian-12/debian-installer/amd64/bootnetx64.efi': 'debian shim',
      '/debian-12/debian-installer/amd64/grubx64.efi': 'debian grub',
      '/leap/EFI/BOOT/bootx64.efi': 'suse shim',
      '/leap/EFI/BOOT/grub.efi': 'suse grub',
      '/copying/EFI/BOOT/BOOTX64.EFI': 'half',
    })
    const source = treeLoadersSource(() => ({ trees }), files)
    const read = async (path: string): Promise<string | undefined> => {
      const entry = await source.stat(cleanPath(path), who)
      return entry && `${entry.name}: ${Buffer.from(await readWhole(entry)).toString()}`
    }
    expect(await read(`/${fedora40.id}/shimx64.efi`)).toBe('shimx64.efi: fedora shim')
    expect(await read(`/${fedora40.id}/grubx64.efi`)).toBe('grubx64.efi: fedora grub')
    expect(await read('/debian-12/shimx64.efi')).toBe('shimx64.efi: debian shim')
    expect(await read('/debian-12/grubx64.efi')).toBe('grubx64.efi: debian grub')
    expect(await read('/leap/shimx64.efi')).toBe('shimx64.efi: suse shim')
    expect(await read('/leap/grub.efi')).toBe('grub.efi: suse grub')
    // Answered at once: shim and firmware wait for each of these.
    expect(await read(`/${fedora40.id}/revocations_sbat.efi`)).toBeUndefined()
    expect(await read(`/${fedora40.id}/shimaa64.efi`)).toBeUndefined()
    expect(await read('/copying/shimx64.efi')).toBeUndefined()
    expect(await read('/nobody/shimx64.efi')).toBeUndefined()
    expect(await read('/shimx64.efi')).toBeUndefined()
  })
})

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { gatherEvidence } from '../../../server/catalog/scan/gather.ts'
import { archsOfKernel } from '../../../server/catalog/scan/kernel-heads.ts'
import { LiveTrees } from '../../../server/catalog/scan/live-trees.ts'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { rootPath } from '../../../server/files/path.ts'
import type { Entry } from '../../../server/files/source.ts'
import { VerifyCache } from '../../../server/verify/verify-cache.ts'
import { eventually } from '../../support/eventually.ts'
import { kernelHeads, kernelOf } from '../../support/kernel-heads.ts'
import { makeTree, temporaryFolder, treeinfoText, writeBelow } from '../../support/tree-folder.ts'
import { verifyTreeAt } from '../../support/verify.ts'

const { head: arm64 = kernelOf('') } = kernelHeads().get('arm64') ?? {}
const s390x = kernelOf('10008:533339304550')

/** A file of which the positions of all reads are kept. */
function fileOf(bytes: Uint8Array) {
  const reads: [from: number, to: number][] = []
  const entry: Entry = {
    name: 'vmlinuz',
    kind: 'file',
    size: bytes.length,
    modifiedMs: 0,
    etag: 'x',
    open: async () => ({
      size: bytes.length,
      read: async (target, offset, length, position) => {
        const part = bytes.subarray(position, position + length)
        target.set(part, offset)
        reads.push([position, position + part.length])
        return part.length
      },
      close: async () => undefined,
    }),
  }
  return { entry, reads }
}

describe('the head of a kernel in a tree', () => {
  test.each([...kernelHeads().values()])('$arch is read as its header says', async ({ head, s390 }) => {
    const file = new Uint8Array(0x1000e)
    file.set(head)
    file.set(s390, 0x10008)
    expect((await archsOfKernel(fileOf(file).entry)).length).toBeGreaterThan(0)
  })

  test('no more than its head and the mark of s390 is read of a kernel', async () => {
    const { entry, reads } = fileOf(new Uint8Array(30_000_000))
    expect(await archsOfKernel(entry)).toEqual([])
    expect(reads).toEqual([
      [0, 32 * 1024],
      [0x10008, 0x1000e],
    ])
  })

  test('a compressed kernel is unpacked as far as its header', async () => {
    expect(await archsOfKernel(fileOf(gzipSync(arm64)).entry)).toEqual(['aarch64'])
    const zeros = fileOf(gzipSync(new Uint8Array(4_000_000)))
    expect(await archsOfKernel(zeros.entry)).toEqual([])
    expect(await archsOfKernel(fileOf(Buffer.from('1f8b08ffffff', 'hex')).entry)).toEqual([])
  })

  test('a file that cannot be opened or is cut off tells nothing', async () => {
    const { entry } = fileOf(s390x)
    expect(await archsOfKernel({ ...entry, open: () => Promise.reject(new Error('gone')) })).toEqual([])
    expect(await archsOfKernel(fileOf(s390x.subarray(0, 0x1000a)).entry)).toEqual([])
    expect(await archsOfKernel(entry)).toEqual(['s390x'])
  })
})

describe('a tree without a descriptor and without a telling name', () => {
  const conclude = async (files: Record<string, Uint8Array>) => {
    const folder = temporaryFolder()
    for (const [path, bytes] of Object.entries(files)) writeBelow(folder, path, bytes)
    const evidence = await gatherEvidence(diskSource(folder), rootPath, 'rescue')
    return evidence && concludeTree(evidence)
  }
  const initrd = Buffer.from('initrd')

  test.each([
    ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', arm64, 'aarch64'],
    ['boot/vmlinuz-lts', 'boot/initramfs-lts', gzipSync(arm64), 'aarch64'],
    ['casper/vmlinux', 'casper/initrd', kernelHeads().get('ppc64el')?.head, 'ppc64le'],
    ['boot/Image', 'boot/initrd', kernelHeads().get('riscv64')?.head, 'riscv64'],
    ['live/vmlinuz', 'live/initrd.lz', kernelHeads().get('amd64')?.head, 'x86_64'],
    ['vmlinuz', 'initrd.img', s390x, 's390x'],
    ['ppc/ppc64/vmlinuz', 'ppc/ppc64/initrd.img', kernelHeads().get('ppc64el')?.head, 'ppc64le'],
    ['isolinux/vmlinuz', 'isolinux/initrd.img', Buffer.from('what is it?'), ''],
  ])('%s: its kernel tells the architecture', async (kernelPath, initrdPath, kernel = initrd, arch) => {
    const tree = await conclude({ [kernelPath]: kernel, [initrdPath]: initrd })
    expect(tree?.arch).toBe(arch)
    expect(Object.keys(tree?.platforms ?? {})).toEqual([arch])
  })
})

describe('a tree whose kernel is for another machine than its descriptor says', () => {
  test('is broken, and ready as soon as the right kernel is there', async () => {
    const base = temporaryFolder()
    const folder = join(base, 'trees/f40')
    mkdirSync(join(base, 'trees'))
    makeTree(folder, { checksums: false })
    writeBelow(folder, 'images/pxeboot/vmlinuz', arm64)
    const trees = new LiveTrees({
      folder: join(base, 'trees'),
      cache: new VerifyCache(join(base, 'data')),
      clock: Date.now,
      times: { quietMs: 50, missingGraceMs: 100 },
      rescanMs: 60_000,
      emit: () => undefined,
      onChange: () => undefined,
    })
    onTestFinished(() => trees.stop())
    await trees.start()
    const becomes = (state: string) => eventually(() => expect(trees.trees[0]?.state).toBe(state), 8000)
    await becomes('broken')
    expect(trees.trees[0]?.reasons).toEqual([
      'images/pxeboot/vmlinuz is a kernel for aarch64, and the tree says x86_64',
    ])
    expect(trees.trees[0]?.remedy).toMatch(/^put the kernel of this tree there/)
    writeBelow(folder, 'images/pxeboot/vmlinuz', kernelHeads().get('amd64')?.head ?? arm64)
    await becomes('ready')
  })

  test('is not published, and a tree that tells the truth is whole', async () => {
    const folder = temporaryFolder()
    makeTree(folder, { checksums: false })
    writeBelow(folder, 'images/pxeboot/vmlinuz', arm64)
    const { findings } = await verifyTreeAt(diskSource(folder), rootPath)
    expect(findings).toContainEqual({
      severity: 'error',
      path: 'images/pxeboot/vmlinuz',
      message: 'is a kernel for aarch64, and the tree says x86_64',
    })
    writeBelow(folder, '.treeinfo', treeinfoText({ arch: 'aarch64', checksums: false }))
    const { findings: other } = await verifyTreeAt(diskSource(folder), rootPath)
    expect(other.filter(({ severity }) => severity === 'error')).toEqual([])
  })
})

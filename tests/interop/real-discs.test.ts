import { execFile } from 'node:child_process'
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadSnapshot } from '../../server/catalog/load-snapshot.ts'
import { canonicalArch, sameArch } from '../../server/core/tree/arch.ts'
import { kernelParts } from '../../server/core/tree/kernel-header.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { forEachAtOnce } from '../../server/host/pool.ts'
import { findClient, requireClient } from '../support/clients.ts'
import { kernelHeads, kernelOf } from '../support/kernel-heads.ts'
import { type Disc, discs, isOfFamily, isSameMajor } from '../support/real-discs.ts'
import { keptFolder } from '../support/tree-folder.ts'

/**
 * A miniature of each real disc, made by genisoimage: its true volume descriptor, and its kernel and initrd at their true
 * paths, the kernel with the header of its architecture. Each lies in `trees/` under its own and under a neutral file name.
 */

const run = promisify(execFile)
const heads = kernelHeads()
/** Architectures of which Debian has no kernel any more: the ELF header alone (elf(5): class, byte order, machine). */
const elf: Readonly<Record<string, string>> = {
  ppc: '0:7f454c46010201 10:00020014',
  ppc64: '0:7f454c46020201 10:00020015',
  parisc: '0:7f454c46010201 10:0002000f',
  sparc64: '0:7f454c46020201 10:0002002b',
}

function kernelFor(arch: string): Uint8Array {
  for (const [name, { head, s390 }] of heads)
    if (sameArch(name, arch))
      return canonicalArch(arch) === 's390x' ? s390Kernel(head, s390) : head.subarray(0, 0x5000)
  return kernelOf(elf[arch] ?? '0:00').subarray(0, 4096)
}

function s390Kernel(head: Uint8Array, s390: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(kernelParts.s390.offset + s390.length)
  bytes.set(head)
  bytes.set(s390, kernelParts.s390.offset)
  return bytes
}

const home = keptFolder()
afterAll(() => home.remove())

async function makeMiniature(disc: Disc, at: number): Promise<void> {
  const { ids, kernel, initrd, arch, file } = disc
  const source = join(home.path, 'sources', String(at))
  for (const [path, bytes] of [
    [kernel, kernelFor(arch)],
    [initrd, Buffer.from('initrd')],
  ] as const) {
    mkdirSync(dirname(join(source, path)), { recursive: true })
    writeFileSync(join(source, path), bytes)
  }
  const neutral = join(home.path, `trees/m${at}.iso`)
  await run('genisoimage', [
    ...['-quiet', '-R', '-J', '-V', ids.volume, '-sysid', ids.system, '-publisher', ids.publisher],
    ...['-A', ids.application, '-o', neutral, source],
  ])
  mkdirSync(join(home.path, `trees/n${at}`))
  linkSync(neutral, join(home.path, `trees/n${at}`, /\.iso$/i.test(file) ? file : `${file}.iso`))
}

describe('miniatures of 790 real discs', () => {
  let trees: ReadonlyMap<string, Tree>
  beforeEach(() => requireClient('genisoimage'))
  beforeAll(async () => {
    if (!findClient('genisoimage')) return
    mkdirSync(join(home.path, 'trees'))
    await forEachAtOnce([...discs.keys()], 4, (at) => makeMiniature(discs[at] as Disc, at))
    const { trees: found } = await loadSnapshot({ cwd: home.path, settle: { quietMs: 10 } })
    trees = new Map(found.all.map((tree) => [/^[mn]\d+/.exec(tree.id)?.[0] ?? '', tree]))
  })

  test.each([
    ['its own file name', 'n'],
    ['a neutral file name', 'm'],
  ])('with %s: of 100 discs, 98 are read right', (_, prefix) => {
    const share = (isRight: (tree: Tree, disc: Disc) => boolean): number => {
      const right = discs.filter((disc, at) => {
        const tree = trees.get(`${prefix}${at}`)
        return tree !== undefined && isRight(tree, disc)
      })
      return right.length / discs.length
    }
    const shares = {
      'kernel and initrd': share(({ platforms }, { kernel, initrd }) =>
        Object.values(platforms).some((images) => images.kernel === kernel && images.initrd === initrd),
      ),
      family: share(({ family }, disc) => isOfFamily(disc, family)),
      'major version': share(({ version }, disc) => isSameMajor(version, disc.version)),
      architecture: share(({ arch }, disc) => sameArch(arch, disc.arch)),
    }
    for (const [what, right] of Object.entries(shares)) expect(right, what).toBeGreaterThanOrEqual(0.98)
  })
})

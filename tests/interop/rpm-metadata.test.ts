import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { rootPath } from '../../server/files/path.ts'
import { mirrorTree } from '../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient } from '../support/clients.ts'
import { faultyServer } from '../support/faulty-server.ts'
import { makeRpm } from '../support/rpm-package.ts'
import { makeTree, namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const packages = Array.from({ length: 25 }, (_, n) => `Packages/p/p${n}-1-1.noarch.rpm`)

/** A tree whose repository createrepo_c has made, its metadata packed in one way. */
function makeUpstream(packing: string): { base: string; upstream: string } {
  const base = temporaryFolder()
  const upstream = join(base, 'upstream')
  makeTree(upstream)
  for (const [n, path] of packages.entries()) writeBelow(upstream, path, makeRpm(`p${n}`))
  const run = (type: string) =>
    spawnSync('createrepo_c', ['-q', '--no-database', `--general-compress-type=${type}`, upstream], {
      encoding: 'utf8',
    })
  const { status, stderr } = run(packing)
  if (status !== 0 && packing !== 'zstd') throw new Error(stderr)
  if (status !== 0) {
    // createrepo_c of Debian 12 is from before it learnt zstd: what it packed with gzip is packed anew.
    if (run('gz').status !== 0) throw new Error(stderr)
    repackWithZstd(join(upstream, 'repodata'))
  }
  return { base, upstream }
}

function repackWithZstd(folder: string): void {
  const repomd = readFileSync(join(folder, 'repomd.xml'), 'utf8')
  const elements = repomd.split(/(?=<data )/).map((element) => {
    const [name = '', was = '', kind = ''] = /([0-9a-f]{64})-(\w+\.xml)\.gz/.exec(element) ?? []
    if (name === '') return element
    const packed = execFileSync('zstd', ['-q', '-10', '-c'], {
      input: zlib.gunzipSync(readFileSync(join(folder, name))),
    })
    const digest = createHash('sha256').update(packed).digest('hex')
    rmSync(join(folder, name))
    writeFileSync(join(folder, `${digest}-${kind}.zst`), packed)
    return element
      .replaceAll(was, digest)
      .replace('.xml.gz', '.xml.zst')
      .replace(/<size>\d+</, `<size>${packed.length}<`)
  })
  writeFileSync(join(folder, 'repomd.xml'), elements.join(''))
}

beforeEach(() => void requireClient('createrepo_c', 'xz', 'bzip2', 'zstd'))

async function mirrored(packing: string, suffix: string) {
  const { base, upstream } = makeUpstream(packing)
  const metadata = readdirSync(join(upstream, 'repodata'))
  expect(metadata.filter((name) => name.endsWith(`primary.xml.${suffix}`))).toHaveLength(1)
  const trees = join(base, 'trees')
  mkdirSync(trees)
  const server = await faultyServer(upstream)
  const mirror = () => mirrorTree(new VersionStore(trees), [`${server.url}/`], { id: 'f' })
  return { upstream, trees, mirror }
}

test.each([
  ['gz', 'gz'],
  ['bz2', 'bz2'],
  ['xz', 'xz'],
  ['zstd', 'zst'],
])(
  'metadata in %s is followed to every package by mirror, and by verify: a flipped byte is named',
  async (packing, suffix) => {
    const { upstream, trees, mirror } = await mirrored(packing, suffix)
    expect((await mirror()).trees[0]?.result).toMatchObject({ outcome: 'published', findings: [] })
    const tree = join(trees, 'f')
    expect(namesBelow(tree)).toEqual(namesBelow(upstream))
    const verify = () => verifyTreeAt(diskSource(tree), rootPath, { name: 'f' })
    // All but .treeinfo and repomd.xml, which no document names.
    expect((await verify()).files).toBe(namesBelow(upstream).length - 2)
    const damaged = join(tree, packages[17] ?? '')
    const bytes = readFileSync(damaged)
    bytes[100] = (bytes[100] ?? 0) ^ 1
    writeFileSync(damaged, bytes)
    expect((await verify()).findings.map(({ path }) => path)).toEqual([packages[17]])
  },
)

test.each(
  [
    ['bz2', 'bz2', 'bzip2'],
    ['xz', 'xz', 'xz'],
    ['zstd', 'zst', 'zstd'],
    // From 22.15 on Node does this itself.
  ].filter(([packing]) => packing !== 'zstd' || !('createZstdDecompress' in zlib)),
)(
  '%s without the program: one line says what is missing, and nothing is published',
  async (packing = '', suffix = '', program = '') => {
    const { trees, mirror } = await mirrored(packing, suffix)
    vi.stubEnv('PATH', '/nonexistent')
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(mirror()).rejects.toThrow(
      new RegExp(
        `-primary\\.xml\\.${suffix} is packed with \\w+, and the program ${program} is not installed \\(package `,
      ),
    )
    expect(readdirSync(trees)).toEqual(['.treeboot'])
  },
)

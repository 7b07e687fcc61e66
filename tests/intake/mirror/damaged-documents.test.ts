import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { makeRepository, somePackages } from '../../support/rpm-repository.ts'
import { makeTree, namesBelow, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** What a mirror says when the file that is damaged is the one that names the checksums. */

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

const deb = 'pool/main/a/a_1_amd64.deb'
const packages = 'dists/bookworm/main/binary-amd64/Packages.gz'
const release = 'dists/bookworm/Release'

function makeDebian(folder: string): void {
  writeBelow(folder, 'install/netboot/debian-installer/amd64/linux', 'kernel')
  writeBelow(folder, 'install/netboot/debian-installer/amd64/initrd.gz', 'initrd')
  writeBelow(folder, '.disk/info', 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 DVD 20240210-11:28\n')
  writeBelow(folder, deb, 'a package')
  const index = gzipSync(`Package: a\nFilename: ${deb}\nSize: 9\nSHA256: ${sha256('a package')}\n`)
  writeBelow(folder, packages, index)
  const line = ` ${sha256(index)} ${index.length} main/binary-amd64/Packages.gz\n`
  writeBelow(folder, release, `Suite: stable\nCodename: bookworm\nSHA256:\n${line}`)
  const all = namesBelow(folder).filter((name) => name !== release)
  writeBelow(folder, 'md5sum.txt', all.map((name) => `${md5(join(folder, name))}  ./${name}\n`).join(''))
}
const md5 = (file: string) => createHash('md5').update(readFileSync(file)).digest('hex')

/** Another digit in the first digest of a text that belongs to this name. */
function withWrongDigest(folder: string, file: string, name: string): void {
  const text = readFileSync(join(folder, file), 'utf8')
  const line = text.split('\n').find((each) => each.includes(name))
  if (line === undefined) throw new Error(`${file} does not name ${name}`)
  const wrong = line.replace(/[0-9a-f]{32,}/, (hex) => (hex[0] === '0' ? '1' : '0') + hex.slice(1))
  writeBelow(folder, file, text.replace(line, wrong))
}

async function inputs() {
  const [upstream, base] = [temporaryFolder(), temporaryFolder()]
  const trees = join(base, 'trees')
  mkdirSync(trees)
  const server = await faultyServer(upstream)
  const fetching = { pause: async () => undefined }
  const mirror = () => mirrorTree(new VersionStore(trees), [`${server.url}/d/`], { id: 'd', fetching })
  return { folder: join(upstream, 'd'), trees, server, mirror }
}

/** The errors of a refused mirror, with what may be damaged instead of each. */
async function refusal(mirror: () => ReturnType<typeof mirrorTree>) {
  const { trees } = await mirror()
  expect(trees[0]?.result.outcome).toBe('refused')
  const findings = trees[0]?.result.findings ?? []
  return findings.filter(({ severity }) => severity === 'error')
}

describe('a Debian tree', () => {
  test('whose Release is damaged: what the index names is right, so Release is named', async () => {
    const { folder, mirror } = await inputs()
    makeDebian(folder)
    withWrongDigest(folder, release, 'Packages.gz')
    expect(await refusal(mirror)).toEqual([
      {
        severity: 'error',
        path: packages,
        with: release,
        message: expect.stringMatching(
          /^is damaged: sha256 .*; md5sum\.txt says what is here, so dists\/bookworm\/Release may be what is damaged$/,
        ),
      },
    ])
  })

  test('the same without a second list', async () => {
    const { folder, mirror } = await inputs()
    makeDebian(folder)
    writeBelow(folder, 'md5sum.txt', '')
    withWrongDigest(folder, release, 'Packages.gz')
    expect(await refusal(mirror)).toEqual([
      expect.objectContaining({
        path: packages,
        with: release,
        message: expect.stringMatching(
          /; the file that it names is as it says, so dists\/bookworm\/Release may be what is damaged, or older$/,
        ),
      }),
    ])
  })

  test('whose md5sum.txt is damaged', async () => {
    const { folder, mirror } = await inputs()
    makeDebian(folder)
    withWrongDigest(folder, 'md5sum.txt', deb)
    expect(await refusal(mirror)).toEqual([
      expect.objectContaining({
        path: deb,
        with: 'md5sum.txt',
        message: expect.stringMatching(
          /; dists\/.*Packages\.gz says what is here, so md5sum\.txt may be what is damaged$/,
        ),
      }),
    ])
  })

  test('whose index is damaged: it is named itself, and beside what it names', async () => {
    const { folder, mirror } = await inputs()
    makeDebian(folder)
    writeBelow(folder, 'md5sum.txt', '')
    const other = gzipSync(`Package: a\nFilename: ${deb}\nSize: 9\nSHA256: ${sha256('other')}\n`)
    writeBelow(folder, packages, other)
    const found = await refusal(mirror)
    expect(found.map(({ path }) => path)).toEqual([packages, deb])
    expect(found[1]?.message).toMatch(/Packages\.gz itself is damaged$/)
  })

  test('whose package is damaged: no list is accused', async () => {
    const { folder, mirror } = await inputs()
    makeDebian(folder)
    writeBelow(folder, deb, 'A package')
    const [found, ...others] = await refusal(mirror)
    expect(others).toEqual([])
    expect(found?.message).not.toMatch(/may be what is damaged/)
  })

  test('whose Release was damaged on the way: the next run fetches it again', async () => {
    const { folder, mirror, server, trees } = await inputs()
    makeDebian(folder)
    const whole = readFileSync(join(folder, release), 'utf8')
    withWrongDigest(folder, release, 'Packages.gz')
    await refusal(mirror)
    // With the same size and time, and so with the same validator.
    const { atime, mtime } = statSync(join(folder, release))
    writeBelow(folder, release, whole)
    utimesSync(join(folder, release), atime, mtime)
    server.requests.length = 0
    expect((await mirror()).trees[0]?.result.outcome).toBe('published')
    expect(server.requests).toContain(`GET /d/${release}`)
    expect(readFileSync(join(trees, 'd', release), 'utf8')).toBe(whole)
  })
})

describe('a tree with repositories', () => {
  test('whose repomd.xml is damaged: the message names it, and the next run fetches it again', async () => {
    const { folder, mirror, trees } = await inputs()
    makeTree(folder)
    makeRepository(folder, somePackages(3))
    const repomd = 'repodata/repomd.xml'
    const whole = readFileSync(join(folder, repomd), 'utf8')
    withWrongDigest(folder, repomd, '<checksum')
    await expect(mirror()).rejects.toMatchObject({
      kind: 'invalid-data',
      message: expect.stringMatching(
        /\b1 file\b.*primary\.xml\.gz is damaged: sha256 is .*; repodata\/repomd\.xml says /s,
      ),
    })
    writeBelow(folder, repomd, whole)
    expect((await mirror()).trees[0]?.result.outcome).toBe('published')
    expect(namesBelow(join(trees, 'd'))).toEqual(namesBelow(folder))
  })

  test('whose .treeinfo is damaged', async () => {
    const { folder, mirror } = await inputs()
    makeTree(folder)
    makeRepository(folder, somePackages(1))
    withWrongDigest(folder, '.treeinfo', 'install.img = sha256')
    await expect(mirror()).rejects.toThrow(/images\/install\.img is damaged: .*; \.treeinfo says /)
  })
})

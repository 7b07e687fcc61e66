import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isoSource } from '../../server/files/iso/source.ts'
import { type CleanPath, cleanPath, joinPath, rootPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { findClient, requireClient } from '../support/clients.ts'
import { type UdfShape, writeUdf } from '../support/iso/write-udf.ts'
import { type Bench, makeBench, startTreeboot } from '../support/lab/lab.ts'
import { saidOf, startUdfGuest } from '../support/lab/udf-guest.ts'
import { dryRun } from '../support/lab/virt-install.ts'
import { treeinfoText } from '../support/tree-folder.ts'

const files: Readonly<Record<string, string>> = {
  '.treeinfo': treeinfoText({ checksums: false }),
  'images/pxeboot/vmlinuz': 'kernel',
  'images/pxeboot/initrd.img': 'i'.repeat(3_000_000),
  'Packages/a-very-long-package-name-with-a-version-1.2.3-4.fc40.x86_64.rpm': 'rpm',
  'a/b/c/d/e/f/g/h/i/j/k/l/deep.txt': 'deep',
  'ümlaut und blank.txt': '8 bits',
  'Пакет/包.rpm': '16 bits',
  empty: '',
  UPPER: 'case',
  upper: 'other case',
  ...Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`many/file-${i}`, `${i}`])),
}
const links: Readonly<Record<string, string>> = {
  'images/kernel': 'pxeboot/vmlinuz',
  'a/b/up': '../../images/./pxeboot',
  'Пакет/ссылка': '包.rpm',
}

let bench: Bench
beforeEach(() => {
  bench = makeBench()
})
afterEach(() => bench.undo.unwind())

describe('discs of genisoimage -udf', () => {
  beforeEach(() => {
    requireClient('genisoimage')
  })

  // genisoimage writes symlinks for Rock Ridge alone, and empty files in their place for UDF.
  test.each([
    ['Rock Ridge beside UDF', ['-R'], true],
    ['Rock Ridge and Joliet beside UDF', ['-R', '-J', '-joliet-long'], true],
    ['Joliet beside UDF', ['-J', '-D'], false],
    ['nothing beside UDF but plain names', ['-D'], false],
  ] as const)('%s: every file as in the folder', async (_name, options, hasLinks) => {
    const folder = layOut(join(bench.folder, 'disc'), hasLinks ? links : {})
    const source = await isoSource(genisoimage(folder, join(bench.folder, 'disc.iso'), options))
    expect(await contents(source)).toEqual(expected({ hasLinks }))
  })

  test('UDF alone: every file as in the folder', async () => {
    const folder = layOut(join(bench.folder, 'disc'), {})
    const source = await isoSource(udfAlone(genisoimage(folder, join(bench.folder, 'disc.iso'), ['-R'])))
    expect(await contents(source)).toEqual(expected({ hasLinks: false }))
  })

  test('a file over 4 GiB, as lorax has it: its true size and bytes, and virt-install finds the tree', async () => {
    requireClient('virt-install', 'curl')
    const folder = layOut(join(bench.folder, 'live'), links)
    const big = join(folder, 'LiveOS/squashfs.img')
    mkdirSync(dirname(big))
    const size = 2 ** 32 + 5000
    writeFileSync(big, 'begin')
    truncateSync(big, size)
    writeFileSync(big, 'end.', { flag: 'a' })
    mkdirSync(join(bench.folder, 'trees/image'), { recursive: true })
    const file = join(bench.folder, 'trees/image/live.iso')
    genisoimage(folder, file, ['-R', '-J', '-allow-limited-size'])

    const entry = await (await isoSource(file)).stat(cleanPath('/LiveOS/squashfs.img'), anyone)
    expect(entry).toMatchObject({ size: size + 4, extent: { file } })
    const treeboot = await startTreeboot(bench, { trees: ['image/live'] })
    const sum = (command: string) =>
      spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stdout.slice(0, 64)
    const url = `${treeboot.url}/trees/image/live`
    expect(sum(`curl -sSf ${url}/LiveOS/squashfs.img | sha256sum`)).toBe(sum(`sha256sum <${big}`))
    for (const path of ['images/pxeboot/vmlinuz', 'images/kernel', 'images/pxeboot/initrd.img'])
      expect(sum(`curl -sSf ${url}/${path} | sha256sum`)).toBe(sum(`sha256sum <${join(folder, path)}`))
    const { fetched, xml } = dryRun(bench.folder, url, 'hvm')
    expect(fetched.slice(-2)).toEqual(['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img'])
    expect(xml).toContain('<kernel>')
  })
})

describe('discs of pycdlib', () => {
  test('UDF 2.60 with symlinks, beside plain names', async () => {
    requireClient('python3', pycdlibFile)
    const folder = layOut(join(bench.folder, 'disc'), links)
    const file = join(bench.folder, 'disc.iso')
    pycdlib(folder, file)
    expect(await contents(await isoSource(file))).toEqual(expected({ hasLinks: true }))
  })
})

describe('volumes of mkudffs', () => {
  const mkudffs = (name: string, ...options: string[]): string => {
    const file = join(bench.folder, `${name}.img`)
    writeFileSync(file, '')
    truncateSync(file, 16 << 20)
    command('mkudffs', [...options, file])
    return file
  }
  beforeEach(() => {
    requireClient('mkudffs')
  })

  test.each(
    ['1.02', '1.50', '2.00', '2.01'].flatMap((revision) =>
      ['512', '1024', '2048', '4096'].map((blockBytes) => [revision, blockBytes] as const),
    ),
  )('%s in blocks of %s bytes: an empty root', async (revision, blockBytes) => {
    for (const form of ['inicb', 'short', 'long']) {
      const options = ['--media-type=hd', `--udfrev=${revision}`, `--blocksize=${blockBytes}`, `--ad=${form}`]
      const source = await isoSource(mkudffs('empty', ...options))
      expect(await source.list(rootPath, anyone)).toEqual([])
      expect(source.missingBytes).toBe(0)
      rmSync(join(bench.folder, 'empty.img'))
    }
  })

  test.each([
    ['cdr', '*UDF Virtual Partition'],
    ['cdrw', '*UDF Sparable Partition'],
  ])('of a %s are refused with the reason', async (medium, kind) => {
    await expect(isoSource(mkudffs(medium, `--media-type=${medium}`))).rejects.toThrow(
      `the volume has a partition of the kind "${kind}", which is not read`,
    )
  })

  test('written by Linux, and what we take for UDF read by Linux: the same files on both sides', async () => {
    const busybox = requireClient('busybox', 'qemu-system-x86_64', 'genisoimage', 'python3', pycdlibFile)
    const write = [
      mkudffs('hd', '--media-type=hd'),
      mkudffs('disc', '--media-type=hd', '--udfrev=1.02', '--blocksize=2048', '--ad=short'),
      mkudffs('large-blocks', '--media-type=hd', '--udfrev=1.50', '--blocksize=4096', '--ad=long'),
    ]
    const folder = layOut(join(bench.folder, 'files'), links)
    const tar = join(bench.folder, 'files.tar')
    command('tar', ['cf', tar, '-C', folder, '.'])
    const read = [
      ...ownImages(),
      udfAlone(genisoimage(folder, join(bench.folder, 'alone.iso'), ['-R'])),
      pycdlib(folder, join(bench.folder, 'pycdlib.iso')),
    ]
    const machine = startUdfGuest(bench.undo, busybox, { read, write, tar })
    await machine.output.waitFor(/guest: done/, 200_000)
    expect(await machine.ended).toBe(0)
    const said = machine.output.text
    expect(said).not.toMatch(/guest: (?:no |cannot )/)
    for (const [i, file] of [...read, ...write].entries()) {
      const source = await isoSource(file)
      // genisoimage has empty files in the place of symlinks.
      const known = file.endsWith('alone.iso') ? {} : links
      expect(saidOf(said, i), file).toEqual({
        files: listDigest(await digests(source, new Set(Object.keys(known)))),
        links: linkDigest(known),
      })
      for (const [link, target] of Object.entries(known)) {
        const [one, other] = [`/${link}`, `/${dirname(link)}/${target}`].map(cleanPath)
        expect(await stated(source, one)).toEqual(await stated(source, other))
      }
    }
    const [hd] = write
    const worked = cleanPath('/worked/now with a longer name')
    const entry = await (await isoSource(hd ?? '')).stat(worked, anyone)
    // udf-guest-init.sh wrote 300 blocks in turns with another file: they lie in pieces, and have no one extent.
    expect([entry?.size, entry?.extent]).toEqual([300 * 4096, undefined])
  })

  /** Images as the unit tests have them: here the kernel says whether they are what they should be. */
  function ownImages(): string[] {
    const forms: Record<string, Omit<UdfShape, 'files'>> = {
      plain: {},
      small: { blockBytes: 512, continued: true },
      embedded: { version2: true, folders: 'embedded', wideNames: true },
      metadata: { version2: true, metadata: true, folders: 'long' },
    }
    // Of the 400 small files, ten.
    const some = Object.entries(files).filter(([path]) => !/^many\/file-\d\d/.test(path))
    return Object.entries(forms).map(([name, form], i) => {
      const shape: UdfShape['files'] = {
        ...Object.fromEntries(
          some.map(([path, bytes]) => [
            path,
            // In every other image the small files lie in their descriptors.
            bytes.length < 300 && i % 2 === 0
              ? { bytes, allocation: 'embedded' as const }
              : { bytes, pieceBlocks: 17, descriptorsEach: 12 },
          ]),
        ),
        ...Object.fromEntries(Object.entries(links).map(([path, target]) => [path, { target }])),
      }
      const file = join(bench.folder, `${name}.iso`)
      writeFileSync(file, writeUdf({ ...form, files: shape }).bytes)
      return file
    })
  }
})

function layOut(folder: string, symlinks: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const [path, target] of Object.entries(symlinks)) symlinkSync(target, join(folder, path))
  return folder
}

/** Written with holes: of a file of zeros over 4 GiB nothing reaches the disk. */
function genisoimage(folder: string, file: string, options: readonly string[]): string {
  // UTF-8 in the locale is how genisoimage learns of names.
  const args = ['-quiet', '-input-charset', 'utf-8', '-udf', ...options, folder]
  const line = 'file=$1; shift; set -o pipefail; "$@" | dd of="$file" bs=64k conv=sparse status=none'
  command('bash', ['-c', line, 'bash', file, findClient('genisoimage') ?? '', ...args])
  return file
}

function command(program: string, args: readonly string[], env: Record<string, string> = {}): void {
  const path = findClient(program) ?? program
  const { status, stderr } = spawnSync(path, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stderr}`)
}

/**
 * Takes ISO 9660 away: the three descriptors of UDF (BEA01, NSR02, TEA01), which follow its descriptors, move to
 * where those begin.
 */
function udfAlone(file: string): string {
  const sector = 2048
  const bytes = readFileSync(file)
  const from = 16 * sector
  const at = bytes.indexOf('\0BEA01', from, 'latin1')
  const end = at + 3 * sector
  bytes.copy(bytes, from, at, end)
  bytes.fill(0, from + 3 * sector, end)
  writeFileSync(file, bytes)
  return file
}

const pycdlibFile = '/usr/lib/python3/dist-packages/pycdlib/__init__.py'
const script = `
import os, sys, pycdlib
root, out = sys.argv[1:]
iso = pycdlib.PyCdlib()
iso.new(udf='2.60', interchange_level=3)
for folder, folders, files in os.walk(root):
    here = folder[len(root):]
    for name in sorted(folders + files):
        path, inside = folder + '/' + name, here + '/' + name
        if os.path.islink(path): iso.add_symlink(udf_symlink_path=inside, udf_target=os.readlink(path))
        elif os.path.isdir(path): iso.add_directory(udf_path=inside)
        else: iso.add_file(path, udf_path=inside)
iso.write(out)
`

function pycdlib(folder: string, file: string): string {
  // Whichever Python comes first, the library is Debian's.
  command('python3', ['-c', script, folder, file], { PYTHONPATH: dirname(dirname(pycdlibFile)) })
  return file
}

/** Every file that can be reached, by path, with its digest. */
async function contents(source: FileSource): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const [path, bytes] of walk(source)) found[path] = sha256(bytes)
  return found
}

async function* walk(source: FileSource, folder: CleanPath = rootPath): AsyncGenerator<[string, Buffer]> {
  for (const entry of (await source.list(folder, anyone)) ?? []) {
    const path = joinPath(folder, entry.name)
    if (entry.kind === 'folder') yield* walk(source, path)
    else yield [path.slice(1), await contentOf(entry)]
  }
}

/** What `contents` must find of `files`; with links, once more at every path that leads through one. */
function expected({ hasLinks }: { readonly hasLinks: boolean }): Record<string, string> {
  const found: Record<string, string> = {}
  const put = (path: string, from = path) => {
    found[path] = sha256(Buffer.from(files[from] ?? ''))
  }
  for (const path of Object.keys(files)) put(path)
  if (!hasLinks) return found
  put('images/kernel', 'images/pxeboot/vmlinuz')
  put('Пакет/ссылка', 'Пакет/包.rpm')
  for (const name of ['vmlinuz', 'initrd.img']) put(`a/b/up/${name}`, `images/pxeboot/${name}`)
  return found
}

/** Lines as sha256sum writes them, of all files but those that are known to be symlinks or to lie behind one. */
async function digests(source: FileSource, known: ReadonlySet<string>): Promise<string[]> {
  const lines: { readonly path: Buffer; readonly line: string }[] = []
  for await (const [path, bytes] of walk(source)) {
    if ([...known].some((link) => path === link || path.startsWith(`${link}/`))) continue
    lines.push({ path: Buffer.from(path), line: `${sha256(bytes)}  ./${path}\n` })
  }
  return lines.sort((a, b) => Buffer.compare(a.path, b.path)).map(({ line }) => line)
}

const listDigest = (lines: readonly string[]) => sha256(Buffer.from(lines.join('')))

function linkDigest(known: Readonly<Record<string, string>>): string {
  const sorted = Object.keys(known).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return listDigest(sorted.map((link) => `${known[link]}  ./${link}\n`))
}

async function stated(source: FileSource, path: CleanPath | undefined) {
  const entry = await source.stat(path ?? rootPath, anyone)
  return entry && { kind: entry.kind, size: entry.size, extent: entry.extent, etag: entry.etag }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

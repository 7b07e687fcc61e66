import { execFile } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { isoSource } from '../../server/files/iso/source.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { linkedFiles } from '../contract/links.ts'
import { openListener } from '../protocols/nfs/support.ts'
import { requireClient } from '../support/clients.ts'
import { openFtp } from '../support/ftp.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { writeUdf } from '../support/iso/write-udf.ts'
import { homeIn } from '../support/lab/virt-install.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const run = promisify(execFile)

/** One tree with links to itself, in each of its forms. */
async function trees(folder: string): Promise<FileSource> {
  for (const [path, content] of Object.entries(linkedFiles)) {
    mkdirSync(dirname(join(folder, 'tree', path)), { recursive: true })
    if (typeof content === 'string') writeFileSync(join(folder, 'tree', path), content)
    else symlinkSync(content.target, join(folder, 'tree', path))
  }
  writeFileSync(join(folder, 'iso'), writeIso({ files: linkedFiles }).bytes)
  writeFileSync(join(folder, 'udf'), writeUdf({ files: linkedFiles }).bytes)
  const sources = {
    '/folder': diskSource(join(folder, 'tree'), { showLinks: true }),
    '/iso': await isoSource(join(folder, 'iso')),
    '/udf': await isoSource(join(folder, 'udf')),
  }
  return mountTable(
    Object.entries(sources).map(([at, source]) => ({ at: cleanPath(at), source, why: 'a form of the tree' })),
  )
}

/** Every path below a folder: the target of a symlink, or what it is. */
function shape(folder: string, below = ''): [string, string][] {
  return readdirSync(join(folder, below)).flatMap((name): [string, string][] => {
    const path = join(below, name)
    const stats = lstatSync(join(folder, path))
    if (stats.isSymbolicLink()) return [[path, `-> ${readlinkSync(join(folder, path))}`]]
    return stats.isDirectory() ? shape(folder, path) : [[path, 'file']]
  })
}

const whole = {
  'away/through': '-> ../debian/pool',
  debian: '-> .',
  'dists/bookworm/Release': 'file',
  'dists/bookworm/main/Packages': 'file',
  'dists/oldest': '-> stable',
  'dists/stable': '-> bookworm',
  'pool/up': '-> ../dists/./stable/Release',
  'pool/with blank; more': '-> ../dists/stable/main',
}

describe.each(['/folder', '/iso', '/udf'])('the tree at %s', (at) => {
  let out: string
  let host: string
  beforeEach(async () => {
    out = temporaryFolder()
    const { port } = await openFtp({ source: await trees(temporaryFolder()) })
    host = `ftp://127.0.0.1:${port}`
  })

  test('lftp makes links of links, and gets each file once', async () => {
    const script = `set net:max-retries 1; set net:timeout 20; mirror ${host}${at} ${out}/copy`
    await run(requireClient('lftp'), ['-c', script], { env: { ...process.env, ...homeIn(out) } })
    expect(Object.fromEntries(shape(join(out, 'copy')))).toEqual(whole)
  })

  test('lftp walks into no link that MLSD shows', async () => {
    const script = `set ftp:use-mlsd yes; set net:max-retries 1; set net:timeout 20; mirror ${host}${at} ${out}/copy`
    await run(requireClient('lftp'), ['-c', script], { env: { ...process.env, ...homeIn(out) } }).catch(
      (error: Error) => error,
    )
    const files = shape(join(out, 'copy')).filter(([, what]) => what === 'file')
    expect(files.map(([path]) => path)).toEqual(['dists/bookworm/Release', 'dists/bookworm/main/Packages'])
  })

  test('wget walks into no link, and makes links when it is told to', async () => {
    const args = ['-q', '-r', '-l', 'inf', '-nH', '--cut-dirs=1', '--retr-symlinks=no', '-P', `${out}/copy`]
    await run(requireClient('wget'), [...args, `${host}${at}/`], { timeout: 30_000 })
    expect(Object.fromEntries(shape(join(out, 'copy')))).toEqual(whole)
  })

  test('curl gets files through links, as a server with links has them', async () => {
    for (const path of ['debian/debian/dists/oldest/Release', 'pool/up'])
      expect((await run(requireClient('curl'), ['-sf', `${host}${at}/${path}`])).stdout).toBe('release')
  })
})

test("Python's ftplib reads the facts of links", async () => {
  const { port } = await openFtp({ source: await trees(temporaryFolder()) })
  const script = [
    'import ftplib, json, sys',
    'ftp = ftplib.FTP()',
    `ftp.connect('127.0.0.1', ${port})`,
    'ftp.login()',
    "print(json.dumps({n: f['type'] for d in ('folder', 'folder/pool') for n, f in ftp.mlsd(d)}))",
  ].join('\n')
  const { stdout } = await run(requireClient('python3'), ['-c', script])
  expect(JSON.parse(stdout)).toEqual({
    ...{ away: 'dir', debian: 'OS.unix=slink:.', dists: 'dir', pool: 'dir' },
    ...{
      up: 'OS.unix=slink:../dists/./stable/Release',
      'with blank; more': 'OS.unix=slink:../dists/stable/main',
    },
  })
})

test.each(['/folder', '/iso', '/udf'])('libnfs shows the links of %s, and reads through them', async (at) => {
  requireClient('nfs-ls', 'nfs-cat')
  const { port } = await openListener({ source: await trees(temporaryFolder()) })
  const url = (path: string) => `nfs://127.0.0.1${at}${path}?nfsport=${port}&mountport=${port}`
  const { stdout } = await run('nfs-ls', ['-R', url('/')], { timeout: 30_000 })
  const modes = stdout
    .trim()
    .split('\n')
    .map((line) => [line[0], line.split(/\s+/).slice(5).join(' ')])
  // Each folder is listed once: no link is taken for one.
  expect(
    modes
      .filter(([mode]) => mode === 'd')
      .map(([, name]) => name?.split('/').at(-1))
      .sort(),
  ).toEqual([...['away', 'bookworm', 'dists', 'main', 'pool']])
  expect(modes.filter(([mode]) => mode === 'l')).toHaveLength(6)
  // It mounts the folder of the file: the server follows the links on that path.
  for (const path of ['/debian/dists/oldest/Release', '/dists/stable/Release'])
    expect((await run('nfs-cat', [url(path)])).stdout, path).toBe('release')
})

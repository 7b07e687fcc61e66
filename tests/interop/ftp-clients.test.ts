import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import type { CleanPath } from '../../server/files/path.ts'
import { requireClient } from '../support/clients.ts'
import { type OpenFtpListener, openFtp } from '../support/ftp.ts'
import { guestShape, homeIn } from '../support/lab/virt-install.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { uploadFolder } from '../support/upload-folder.ts'

const run = promisify(execFile)
const id = 'fedora/40/Everything/x86_64/os'
const bigImage = randomBytes(5_000_000)
const oldMs = Date.UTC(2019, 3, 5, 6, 7, 8)

interface World extends OpenFtpListener {
  readonly folder: string
  /** Where the tree lies on this machine. */
  readonly tree: string
  /** Where it is to be had. */
  readonly url: string
  readonly incoming: string
  readonly published: CleanPath[]
  readonly out: string
}

async function makeWorld(): Promise<World> {
  const folder = temporaryFolder()
  const tree = join(folder, 'root/trees', id)
  makeTree(tree)
  writeBelow(tree, 'images/big.img', bigImage)
  writeBelow(tree, 'Packages/v/vim & co (1).rpm', 'a name with spaces')
  writeBelow(tree, 'Packages/é/ünï.rpm', 'a name in UTF-8')
  writeBelow(tree, 'empty', '')
  utimesSync(join(tree, '.treeinfo'), oldMs / 1000, oldMs / 1000)
  const incoming = join(folder, 'incoming')
  const out = join(folder, 'out')
  mkdirSync(incoming)
  mkdirSync(out)
  const published: CleanPath[] = []
  const service = await openFtp({
    source: diskSource(join(folder, 'root')),
    authenticate: ({ user, password }) => user === 'admin' && password === 's3cret',
    uploads: uploadFolder(incoming, (path) => {
      published.push(path)
      return { outcome: 'published', lines: [`${path} is ready`] }
    }),
  })
  const url = `ftp://127.0.0.1:${service.port}/trees/${id}`
  return { ...service, folder, tree, url, incoming, published, out }
}

/** Every file below a folder with the digest of its bytes. */
function digests(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => statSync(join(folder, name)).isFile())
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  )
}

let world: World
beforeEach(async () => {
  world = await makeWorld()
})

describe('curl', () => {
  const curl = (...args: string[]) =>
    run(requireClient('curl'), ['-sS', ...args], { encoding: 'buffer', maxBuffer: 64_000_000 })

  test('as dracut calls it', async () => {
    const options = [
      '--globoff',
      '--location',
      '--retry',
      '3',
      '--retry-connrefused',
      '--fail',
      '--show-error',
    ]
    const { stdout } = await curl(...options, `${world.url}/images/big.img`)
    expect(stdout.equals(bigImage)).toBe(true)
    // 78: the file is not there.
    await expect(curl(...options, `${world.url}/images/product.img`)).rejects.toMatchObject({ code: 78 })
  })

  test.each([
    ['EPSV', []],
    ['PASV', ['--disable-epsv']],
    ['EPRT', ['--ftp-port', '-']],
    ['PORT', ['--ftp-port', '-', '--disable-eprt']],
    ['one CWD', ['--ftp-method', 'singlecwd']],
    ['no CWD', ['--ftp-method', 'nocwd']],
  ])('with %s', async (_, options) => {
    expect((await curl(...options, `${world.url}/images/big.img`)).stdout.equals(bigImage)).toBe(true)
  })

  test('in ASCII mode sees text as it is', async () => {
    const { stdout } = await curl('--use-ascii', `${world.url}/.treeinfo`)
    expect(stdout.equals(readFileSync(join(world.tree, '.treeinfo')))).toBe(true)
  })

  test('resumes, takes a range, lists, and sees size and time', async () => {
    const file = join(world.out, 'part')
    writeFileSync(file, bigImage.subarray(0, 1_234_567))
    await curl('-C', '-', '-o', file, `${world.url}/images/big.img`)
    expect(readFileSync(file).equals(bigImage)).toBe(true)
    const { stdout } = await curl('-r', '1000000-1000099', `${world.url}/images/big.img`)
    expect(stdout.equals(bigImage.subarray(1_000_000, 1_000_100))).toBe(true)
    expect((await curl(`${world.url}/`)).stdout.toString()).toMatch(/ Apr 05 {2}2019 \.treeinfo\r?\n/)
    expect((await curl('-I', `${world.url}/.treeinfo`)).stdout.toString()).toContain(
      'Last-Modified: Fri, 05 Apr 2019 06:07:08 GMT',
    )
  })

  test('over TLS, data too', async () => {
    const file = (name: string) => join(import.meta.dirname, '../fixtures/tls', name)
    const tls = { key: file('localhost.key'), certificate: file('localhost.crt') }
    const { port } = await openFtp({ source: diskSource(world.tree), tls })
    const options = ['--ssl-reqd', '--cacert', tls.certificate, '-4']
    const { stdout } = await curl(...options, `ftp://localhost:${port}/images/big.img`)
    expect(stdout.equals(bigImage)).toBe(true)
  })

  test('uploads, and resumes an upload, making folders', async () => {
    const target = `ftp://admin:s3cret@127.0.0.1:${world.port}/incoming/a/b/big.img`
    const source = join(world.tree, 'images/big.img')
    await curl('--ftp-create-dirs', '-T', source, target)
    truncateSync(join(world.incoming, 'a/b/big.img'), 777_777)
    await curl('-C', '-', '-T', source, target)
    expect(readFileSync(join(world.incoming, 'a/b/big.img')).equals(bigImage)).toBe(true)
  })
})

describe('lftp', () => {
  const lftp = (script: string) =>
    run(requireClient('lftp'), ['-c', `set net:max-retries 1; set net:timeout 20; ${script}`], {
      env: { ...process.env, ...homeIn(world.out) },
    })

  test('mirrors a whole tree, and resumes it', async () => {
    const copy = join(world.out, 'copy')
    await lftp(`mirror --parallel=4 ${world.url} ${copy}`)
    expect(digests(copy)).toEqual(digests(world.tree))
    expect(statSync(join(copy, '.treeinfo')).mtimeMs).toBe(oldMs)
    truncateSync(join(copy, 'images/big.img'), 2_000_000)
    // lftp goes on with a part that is younger than the file, by whole seconds; an older one it fetches anew.
    utimesSync(join(copy, 'images/big.img'), Date.now() / 1000 + 60, Date.now() / 1000 + 60)
    await lftp(`mirror --continue --parallel=4 ${world.url} ${copy}`)
    expect(digests(copy)).toEqual(digests(world.tree))
    const last = world.events.flatMap((event) => (event.type === 'served' ? [event] : [])).at(-1)
    const bytes = bigImage.length - 2_000_000
    expect(last).toMatchObject({ path: `/trees/${id}/images/big.img`, outcome: 'complete', bytes })
  })

  test('uploads a whole tree and publishes it', async () => {
    const host = `ftp://admin:s3cret@127.0.0.1:${world.port}`
    await lftp(`open ${host}; mirror -R ${world.tree} /incoming/f40; cd /incoming/f40; quote SITE PUBLISH`)
    expect(digests(join(world.incoming, 'f40'))).toEqual(digests(world.tree))
    expect(statSync(join(world.incoming, 'f40/.treeinfo')).mtimeMs).toBe(oldMs)
    expect(world.published).toEqual(['/f40'])
    truncateSync(join(world.incoming, 'f40/images/big.img'), 1_000_000)
    await lftp(`open ${host}; mirror -R --continue ${world.tree} /incoming/f40`)
    expect(digests(join(world.incoming, 'f40'))).toEqual(digests(world.tree))
  })
})

test('GNU wget fetches, resumes and mirrors', async () => {
  const wget = requireClient('wget')
  const file = join(world.out, 'big.img')
  await run(wget, ['-nv', '-O', file, `${world.url}/images/big.img`])
  expect(readFileSync(file).equals(bigImage)).toBe(true)
  truncateSync(file, 1000)
  await run(wget, ['-nv', '-c', `${world.url}/images/big.img`], { cwd: world.out })
  expect(readFileSync(file).equals(bigImage)).toBe(true)
  await run(wget, [
    '-nv',
    '-m',
    '-nH',
    '-P',
    join(world.out, 'mirror'),
    '--restrict-file-names=nocontrol',
    `${world.url}/`,
  ])
  // Beside the files of the tree there are those that -m keeps of each listing.
  expect(digests(join(world.out, 'mirror/trees', id))).toMatchObject(digests(world.tree))
  // 8: the server answered with an error.
  await expect(run(wget, ['-nv', `${world.url}/none`], { cwd: world.out })).rejects.toMatchObject({
    code: 8,
  })
})

test('busybox ftpget and wget', async () => {
  const busybox = requireClient('busybox')
  const file = join(world.out, 'big.img')
  await run(busybox, ['ftpget', '-P', String(world.port), '127.0.0.1', file, `trees/${id}/images/big.img`])
  expect(readFileSync(file).equals(bigImage)).toBe(true)
  truncateSync(file, 4_000_000)
  await run(busybox, ['wget', '-q', '-c', '-O', file, `${world.url}/images/big.img`])
  expect(readFileSync(file).equals(bigImage)).toBe(true)
  // debian-installer knows by this text that a file is not there.
  await expect(run(busybox, ['wget', '-O', file, `${world.url}/none`])).rejects.toMatchObject({
    stderr: expect.stringMatching(/550/),
  })
})

test("Python's ftplib and urllib", async () => {
  const script = `
import ftplib, sys, urllib.request
port, path, url = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ftp = ftplib.FTP(); ftp.connect('127.0.0.1', port); ftp.login()
assert ftp.size(path + '/images/big.img') == 5000000
ftp.cwd(path)
assert '.treeinfo' in ftp.nlst() and 'images' in ftp.nlst()
assert dict(ftp.mlsd())['empty']['size'] == '0'
lines = []; ftp.retrlines('RETR .treeinfo', lines.append); assert lines[0] == '[header]', lines
data = []; ftp.retrbinary('RETR images/big.img', data.append, rest=4999990); assert len(b''.join(data)) == 10
try: ftp.cwd('none'); assert False
except ftplib.error_perm as e: assert str(e).startswith('550'), e
ftp.quit()
# Each of these logs in anew; only wrong passwords are limited, to 10 a minute.
for _ in range(14): assert len(urllib.request.urlopen(url + '/images/big.img').read()) == 5000000
print('good')
`
  const { stdout } = await run(requireClient('python3'), [
    '-c',
    script,
    String(world.port),
    `/trees/${id}`,
    world.url,
  ])
  expect(stdout).toBe('good\n')
})

test('virt-install --location finds the release, the kernel and the initrd', async () => {
  const { stdout } = await run(
    requireClient('virt-install'),
    [
      ...['--connect', 'test:///default', '--hvm', ...guestShape, '--network', 'none'],
      // Only the domain of the first step: the one that boots the installer.
      ...['--location', world.url, '--print-xml', '1'],
    ],
    { env: { ...process.env, ...homeIn(world.out) } },
  )
  expect(stdout).toMatch(/libosinfo:os id="http:\/\/fedoraproject.org\/fedora/)
  expect(stdout).toContain(`<cmdline>inst.repo=${world.url}</cmdline>`)
  const fetched = world.events.flatMap((event) =>
    event.type === 'served' && event.outcome === 'complete' ? [event.path] : [],
  )
  expect(fetched.slice(-2)).toEqual([
    `/trees/${id}/images/pxeboot/vmlinuz`,
    `/trees/${id}/images/pxeboot/initrd.img`,
  ])
  // A client that has ended leaves no session behind.
  await expect.poll(() => world.service.sessions).toBe(0)
})

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
const initrd = randomBytes(5_000_000)
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
  writeBelow(tree, 'images/big.img', initrd)
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
    authenticate: (user, password) => user === 'admin' && password === 's3cret',
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

let inputs: World
beforeEach(async () => {
  inputs = await makeWorld()
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
    const { stdout } = await curl(...options, `${inputs.url}/images/big.img`)
    expect(stdout.equals(initrd)).toBe(true)
    await expect(curl(...options, `${inputs.url}/images/product.img`)).rejects.toMatchObject({ code: 78 })
  })

  test.each([
    ['EPSV', []],
    ['PASV', ['--disable-epsv']],
    ['EPRT', ['--ftp-port', '-']],
    ['PORT', ['--ftp-port', '-', '--disable-eprt']],
    ['one CWD', ['--ftp-method', 'singlecwd']],
    ['no CWD', ['--ftp-method', 'nocwd']],
  ])('with %s', async (_, options) => {
    expect((await curl(...options, `${inputs.url}/images/big.img`)).stdout.equals(initrd)).toBe(true)
  })

  test('in ASCII mode sees text as it is', async () => {
    const { stdout } = await curl('--use-ascii', `${inputs.url}/.treeinfo`)
    expect(stdout.equals(readFileSync(join(inputs.tree, '.treeinfo')))).toBe(true)
  })

  test('resumes, takes a range, lists, and sees size and time', async () => {
    const file = join(inputs.out, 'part')
    writeFileSync(file, initrd.subarray(0, 1_234_567))
    await curl('-C', '-', '-o', file, `${inputs.url}/images/big.img`)
    expect(readFileSync(file).equals(initrd)).toBe(true)
    const { stdout } = await curl('-r', '1000000-1000099', `${inputs.url}/images/big.img`)
    expect(stdout.equals(initrd.subarray(1_000_000, 1_000_100))).toBe(true)
    expect((await curl(`${inputs.url}/`)).stdout.toString()).toMatch(/ Apr 05 {2}2019 \.treeinfo\r?\n/)
    expect((await curl('-I', `${inputs.url}/.treeinfo`)).stdout.toString()).toContain(
      'Last-Modified: Fri, 05 Apr 2019 06:07:08 GMT',
    )
  })

  test('over TLS, data too', async () => {
    const file = (name: string) => join(import.meta.dirname, '../fixtures/tls', name)
    const tls = { key: file('localhost.key'), certificate: file('localhost.crt') }
    const { port } = await openFtp({ source: diskSource(inputs.tree), tls })
    const options = ['--ssl-reqd', '--cacert', tls.certificate, '-4']
    const { stdout } = await curl(...options, `ftp://localhost:${port}/images/big.img`)
    expect(stdout.equals(initrd)).toBe(true)
  })

  test('uploads, and resumes an upload, making folders', async () => {
    const target = `ftp://admin:s3cret@127.0.0.1:${inputs.port}/incoming/a/b/big.img`
    const source = join(inputs.tree, 'images/big.img')
    await curl('--ftp-create-dirs', '-T', source, target)
    truncateSync(join(inputs.incoming, 'a/b/big.img'), 777_777)
    await curl('-C', '-', '-T', source, target)
    expect(readFileSync(join(inputs.incoming, 'a/b/big.img')).equals(initrd)).toBe(true)
  })
})

describe('lftp', () => {
  const lftp = (script: string) =>
    run(requireClient('lftp'), ['-c', `set net:max-retries 1; set net:timeout 20; ${script}`], {
      env: { ...process.env, ...homeIn(inputs.out) },
    })

  test('mirrors a whole tree, and resumes it', async () => {
    const copy = join(inputs.out, 'copy')
    await lftp(`mirror --parallel=4 ${inputs.url} ${copy}`)
    expect(digests(copy)).toEqual(digests(inputs.tree))
    expect(statSync(join(copy, '.treeinfo')).mtimeMs).toBe(oldMs)
    truncateSync(join(copy, 'images/big.img'), 2_000_000)
    // lftp goes on with a part that is younger than the file, by whole seconds; an older one it fetches anew.
    utimesSync(join(copy, 'images/big.img'), Date.now() / 1000 + 60, Date.now() / 1000 + 60)
    await lftp(`mirror --continue --parallel=4 ${inputs.url} ${copy}`)
    expect(digests(copy)).toEqual(digests(inputs.tree))
    const last = inputs.events.flatMap((event) => (event.type === 'served' ? [event] : [])).at(-1)
    expect(last).toMatchObject({ path: `/trees/${id}/images/big.img`, outcome: 'complete', bytes: 3_000_000 })
  })

  test('uploads a whole tree and publishes it', async () => {
    const host = `ftp://admin:s3cret@127.0.0.1:${inputs.port}`
    await lftp(`open ${host}; mirror -R ${inputs.tree} /incoming/f40; cd /incoming/f40; quote SITE PUBLISH`)
    expect(digests(join(inputs.incoming, 'f40'))).toEqual(digests(inputs.tree))
    expect(statSync(join(inputs.incoming, 'f40/.treeinfo')).mtimeMs).toBe(oldMs)
    expect(inputs.published).toEqual(['/f40'])
    truncateSync(join(inputs.incoming, 'f40/images/big.img'), 1_000_000)
    await lftp(`open ${host}; mirror -R --continue ${inputs.tree} /incoming/f40`)
    expect(digests(join(inputs.incoming, 'f40'))).toEqual(digests(inputs.tree))
  })
})

test('GNU wget fetches, resumes and mirrors', async () => {
  const wget = requireClient('wget')
  const file = join(inputs.out, 'big.img')
  await run(wget, ['-nv', '-O', file, `${inputs.url}/images/big.img`])
  expect(readFileSync(file).equals(initrd)).toBe(true)
  truncateSync(file, 1000)
  await run(wget, ['-nv', '-c', `${inputs.url}/images/big.img`], { cwd: inputs.out })
  expect(readFileSync(file).equals(initrd)).toBe(true)
  await run(wget, [
    '-nv',
    '-m',
    '-nH',
    '-P',
    join(inputs.out, 'mirror'),
    '--restrict-file-names=nocontrol',
    `${inputs.url}/`,
  ])
  expect(digests(join(inputs.out, 'mirror/trees', id))).toMatchObject(digests(inputs.tree))
  await expect(run(wget, ['-nv', `${inputs.url}/none`], { cwd: inputs.out })).rejects.toMatchObject({
    code: 8,
  })
})

test('busybox ftpget and wget', async () => {
  const busybox = requireClient('busybox')
  const file = join(inputs.out, 'big.img')
  await run(busybox, ['ftpget', '-P', String(inputs.port), '127.0.0.1', file, `trees/${id}/images/big.img`])
  expect(readFileSync(file).equals(initrd)).toBe(true)
  truncateSync(file, 4_000_000)
  await run(busybox, ['wget', '-q', '-c', '-O', file, `${inputs.url}/images/big.img`])
  expect(readFileSync(file).equals(initrd)).toBe(true)
  // debian-installer knows by this text that a file is not there.
  await expect(run(busybox, ['wget', '-O', file, `${inputs.url}/none`])).rejects.toMatchObject({
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
for _ in range(14): assert len(urllib.request.urlopen(url + '/images/big.img').read()) == 5000000
print('good')
`
  const { stdout } = await run(requireClient('python3'), [
    '-c',
    script,
    String(inputs.port),
    `/trees/${id}`,
    inputs.url,
  ])
  expect(stdout).toBe('good\n')
})

test('virt-install --location finds the release, the kernel and the initrd', async () => {
  const { stdout } = await run(
    requireClient('virt-install'),
    [
      ...['--connect', 'test:///default', '--hvm', ...guestShape, '--network', 'none'],
      ...['--location', inputs.url, '--print-xml', '1'],
    ],
    { env: { ...process.env, ...homeIn(inputs.out) } },
  )
  expect(stdout).toMatch(/libosinfo:os id="http:\/\/fedoraproject.org\/fedora/)
  expect(stdout).toContain(`<cmdline>inst.repo=${inputs.url}</cmdline>`)
  const fetched = inputs.events.flatMap((event) =>
    event.type === 'served' && event.outcome === 'complete' ? [event.path] : [],
  )
  expect(fetched.slice(-2)).toEqual([
    `/trees/${id}/images/pxeboot/vmlinuz`,
    `/trees/${id}/images/pxeboot/initrd.img`,
  ])
  await expect.poll(() => inputs.service.sessions).toBe(0)
})

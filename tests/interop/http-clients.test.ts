import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { requireClient } from '../support/clients.ts'
import { type OpenService, openListener } from '../support/http.ts'

const run = promisify(execFile)
const initrd = randomBytes(5 * 1024 * 1024 + 11)
const treeinfo = '[general]\nfamily = Fedora\n# für alle\n'

describe('real HTTP clients', () => {
  let folder: string
  let open: OpenService
  let url: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'treeboot-clients-'))
    await mkdir(join(folder, 'root/t/images'), { recursive: true })
    await mkdir(join(folder, 'got'))
    await writeFile(join(folder, 'root/t/.treeinfo'), treeinfo)
    await writeFile(join(folder, 'root/t/images/initrd.gz'), initrd)
    open = await openListener({ source: diskSource(join(folder, 'root')) })
    url = `http://127.0.0.1:${open.port}/t`
  })
  afterAll(async () => {
    await open.service.stop()
    await rm(folder, { recursive: true })
  })

  const got = (name: string) => join(folder, 'got', name)
  const expectWhole = async (name: string) =>
    expect(
      createHash('sha256')
        .update(await readFile(got(name)))
        .digest('hex'),
    ).toBe(createHash('sha256').update(initrd).digest('hex'))
  /** The first part of the file, as a client leaves it that was interrupted. */
  const interrupted = async (name: string) => {
    await writeFile(got(name), initrd)
    await truncate(got(name), 1_234_567)
  }

  test('curl as dracut calls it, and over HTTP/1.0', async () => {
    const curl = requireClient('curl')
    const dracut = ['--globoff', '--location', '--retry', '3', '--fail', '--show-error', '--silent']
    await run(curl, [...dracut, '--output', got('curl'), `${url}/images/initrd.gz`])
    await expectWhole('curl')
    await run(curl, [
      ...dracut,
      '--http1.0',
      '--compressed',
      '--output',
      got('curl10'),
      `${url}//images/./initrd.gz`,
    ])
    await expectWhole('curl10')
    // 22: --fail, and the status is 400 or more.
    await expect(run(curl, [...dracut, `${url}/images/product.img`])).rejects.toMatchObject({ code: 22 })
  })

  test('curl resumes, reads ranges and HEADs', async () => {
    const curl = requireClient('curl')
    await interrupted('resumed')
    await run(curl, ['-sS', '--fail', '-C', '-', '-o', got('resumed'), `${url}/images/initrd.gz`])
    await expectWhole('resumed')
    const range = await run(curl, ['-sS', '-r', '100-199', `${url}/images/initrd.gz`], { encoding: 'buffer' })
    expect(range.stdout.equals(initrd.subarray(100, 200))).toBe(true)
    const many = await run(curl, ['-sS', '-r', '0-9,100-109', `${url}/images/initrd.gz`], {
      encoding: 'buffer',
    })
    expect(many.stdout.includes(initrd.subarray(100, 110))).toBe(true)
    const head = await run(curl, ['-sSI', `${url}/images/initrd.gz`])
    expect(head.stdout).toContain(`\r\nContent-Length: ${initrd.length}\r\n`)
    expect(head.stdout).not.toMatch(/content-encoding/i)
  })

  test('curl keeps its copy while the etag holds', async () => {
    const curl = requireClient('curl')
    const args = [
      '-sS',
      '--etag-save',
      got('etag'),
      '--etag-compare',
      got('etag'),
      '-w',
      '%{http_code}',
      '-o',
      got('kept'),
    ]
    expect((await run(curl, [...args, `${url}/.treeinfo`])).stdout).toBe('200')
    expect((await run(curl, [...args, `${url}/.treeinfo`])).stdout).toBe('304')
  })

  test('busybox wget, as debian-installer uses it, resumes', async () => {
    const busybox = requireClient('busybox')
    await interrupted('busybox')
    await run(busybox, [
      'wget',
      '-q',
      '-c',
      '-U',
      'debian-installer',
      '-O',
      got('busybox'),
      `${url}/images/initrd.gz`,
    ])
    await expectWhole('busybox')
    await expect(run(busybox, ['wget', '-O', got('none'), `${url}/preseed.cfg`])).rejects.toMatchObject({
      stderr: expect.stringContaining('404'),
    })
  })

  test('GNU wget resumes, keeps what is not newer, and mirrors a listing', async () => {
    const wget = requireClient('wget')
    await interrupted('initrd.gz')
    await run(wget, ['-q', '-c', '-P', got(''), `${url}/images/initrd.gz`])
    await expectWhole('initrd.gz')
    const again = await run(wget, ['-N', '-P', got(''), `${url}/images/initrd.gz`])
    expect(again.stderr).toMatch(/304 Not Modified|not modified on server|not retrieving/)
    await run(wget, ['-q', '-r', '-np', '-nH', '-P', got('mirror'), `${url}/`])
    expect(await readFile(got('mirror/t/.treeinfo'), 'utf8')).toBe(treeinfo)
    await expectWhole('mirror/t/images/initrd.gz')
  })

  test('aria2 fetches one file over several connections', async () => {
    const aria2c = requireClient('aria2c')
    await run(aria2c, [
      '-q',
      '--no-conf',
      '-x4',
      '-s4',
      '-k1M',
      '-d',
      got(''),
      '-o',
      'aria',
      `${url}/images/initrd.gz`,
    ])
    await expectWhole('aria')
  })

  test('python-requests, as virt-install and anaconda use it', async () => {
    requireClient('virt-install') // brings python3-requests for /usr/bin/python3
    const script = `
import requests, sys
s = requests.Session()
base = sys.argv[1]
head = s.head(base + '/images/initrd.gz', allow_redirects=True)
body = s.get(base + '/images/initrd.gz', stream=True)
whole = b''.join(body.iter_content(1 << 20))
assert head.status_code == 200 and int(head.headers['content-length']) == len(whole), head.headers
assert s.get(base + '//.treeinfo').text == open(sys.argv[2], encoding='utf-8').read()
assert s.get(base + '/treeinfo').status_code == 404
assert s.head(base + '/').ok
part = s.get(base + '/images/initrd.gz', headers={'Range': 'bytes=-5', 'If-Range': head.headers['etag']})
assert part.status_code == 206 and part.content == whole[-5:]
open(sys.argv[3], 'wb').write(whole)
`
    await run('/usr/bin/python3', ['-c', script, url, join(folder, 'root/t/.treeinfo'), got('python')])
    await expectWhole('python')
  })
})

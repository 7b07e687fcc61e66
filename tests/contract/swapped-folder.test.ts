import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Client } from 'basic-ftp'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { testApp } from '../support/app.ts'
import { builtFile } from '../support/built-file.ts'
import { isSearch, searches } from '../support/fuzz.ts'
import { NfsClient } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp } from '../support/tftp-client.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/**
 * A user of this machine who may write in `trees/` puts a symlink that leads out in the place of a folder, and back,
 * while clients ask for what is below it. No service may follow it at any moment.
 */

const config = `
server: { bind: 127.0.0.1, stop-grace: 0s }
http: { port: 0 }
tftp: { port: 0 }
ftp: { port: 0 }
nfs: { port: 0 }
`
const secret = 'OUTSIDE'
/** More than a service keeps of small files, and several blocks of TFTP. */
const bigBytes = 70_000

const home = keptFolder()
let app: App
let ports: Readonly<Record<string, number>>
let swapping: ChildProcess

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'trees/some/swapped/small', 'inside')
  writeBelow(home.path, 'trees/some/swapped/big', 'i'.repeat(bigBytes))
  writeBelow(home.path, 'outside/small', secret)
  writeBelow(home.path, 'outside/big', secret.repeat(bigBytes / secret.length))
  writeBelow(home.path, `outside/${secret}`, '')
  symlinkSync(join(home.path, 'outside'), join(home.path, 'trees/some/link'))
  app = testApp(home.path)
  await app.start()
  const some = join(home.path, 'trees/some')
  const args = [builtFile('tests/support/swap-child.ts'), join(some, 'swapped'), join(some, 'link')]
  swapping = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  await swapCount()
  ports = Object.fromEntries(app.serviceLines().map(({ name, port = 0 }) => [name, port]))
}, 20_000)

afterAll(async () => {
  swapping.kill('SIGKILL')
  await app.stop()
  home.remove()
})

/** How often the folder has been swapped. */
async function swapCount(): Promise<number> {
  swapping.stdin?.write('how often?\n')
  const [count] = (await once(swapping.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return Number(count.toString())
}

const folder = '/trees/some/swapped'
const url = (path: string): string => `http://127.0.0.1:${ports.http}${path}`

/** What a client sees: the status or the length and the text of a file, or the names of a folder. */
type Way = (path: string) => Promise<string>

async function byHttp(path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url(path), init)
  return `${response.headers.get('content-length')} ${await response.text()}`
}

async function openFtp(): Promise<Way> {
  const ftp = new Client()
  onTestFinished(() => ftp.close())
  await ftp.access({ host: '127.0.0.1', port: ports.ftp ?? 0 })
  return async (path) => {
    const chunks: Buffer[] = []
    const write: Writable['_write'] = (chunk: Buffer, _encoding, done) => {
      chunks.push(Buffer.from(chunk))
      done()
    }
    await ftp.downloadTo(new Writable({ write }), path)
    return Buffer.concat(chunks).toString()
  }
}

async function openNfs(): Promise<Way> {
  const wire = await TcpWire.open(ports.nfs ?? 0)
  onTestFinished(() => wire.close())
  const nfs = new NfsClient(wire)
  return async (path) => {
    const handle = await nfs.walk(path)
    return `${(await nfs.getattr(handle)).size} ${await nfs.readAll(handle, 64 * 1024)}`
  }
}

const tftp: Way = async (path) =>
  (
    await fetchTftp(path, {
      port: ports.tftp ?? 0,
      retryMs: 2000,
      options: { blksize: 1468, windowsize: 16 },
    })
  ).bytes.toString()

/** Each way to ask, what it asks for, and how often. */
const ways: readonly [string, () => Promise<Way>, readonly string[], number][] = [
  ['HTTP, small and large files', async () => byHttp, ['/small', '/big'], 1600],
  [
    'HTTP by node:http',
    async () => (path) => byHttp(path, { headers: { Range: 'bytes=0-' } }),
    ['/small'],
    1200,
  ],
  ['HTTP, HEAD', async () => (path) => byHttp(path, { method: 'HEAD' }), ['/small'], 1200],
  [
    'HTTP, listings',
    async () => (path) => byHttp(path, { headers: { Accept: 'application/json' } }),
    ['/'],
    1200,
  ],
  ['FTP', openFtp, ['/small', '/big'], 1200],
  ['TFTP', async () => tftp, ['/small', '/big'], 1200],
  ['NFS', openNfs, ['/small', '/big'], 1200],
]

/** The unit tests take one of each kind: a fast path, a service over UDP, and one whose clients hold a handle. */
const tried = isSearch ? ways : ways.filter(([name]) => /^(HTTP, small|TFTP|NFS)/.test(name))

test.each(tried)(
  '%s: no byte and no name from outside',
  async (_name, open, files, times) => {
    const ask = await open()
    const swapsBefore = await swapCount()
    let inside = 0
    const leaks: string[] = []
    const wanted = searches(times, 1 / 80)
    // The test means nothing when the folder was never there. Under NFS a walk is three calls, and few end inside.
    for (let n = 0; n < wanted || (inside < 3 && n < 1000); n++) {
      const path = `${folder}${files[n % files.length]}`
      const seen = await ask(path).catch(() => 'refused')
      if (seen.includes(secret) || seen.startsWith(`${secret.length} `))
        leaks.push(`${path}: ${seen.slice(0, 100)}`)
      else if (seen.includes('i') || seen.startsWith('6 ')) inside++
    }
    expect(leaks).toEqual([])
    expect(inside).toBeGreaterThanOrEqual(3)
    expect((await swapCount()) - swapsBefore).toBeGreaterThan(10)
  },
  searches(120_000, 1),
)

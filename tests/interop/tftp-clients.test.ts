import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../server/events/bus.ts'
import { diskSource } from '../../server/files/disk.ts'
import { loadSystemCalls } from '../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../server/protocols/tftp/server.ts'
import { requireClient } from '../support/clients.ts'

const run = promisify(execFile)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const nativeModes = loadSystemCalls() ? (['off', 'required'] as const) : (['off'] as const)

describe.each(nativeModes)('real clients, system calls %s', (native) => {
  const binary = randomBytes(700_001)
  const text = 'one\ntwo\r\nthree\rfour\n'.repeat(300)
  const events: Event[] = []
  let folder = ''
  let service: TftpListener
  const port = (): string => String(service.address?.port ?? 0)
  const into = (name: string): string => join(folder, `got-${name}`)

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'treeboot-tftp-'))
    await writeFile(join(folder, 'binary'), binary)
    await writeFile(join(folder, 'text'), text)
    const sink = (event: Event): unknown => events.push(event)
    service = new TftpListener({
      bind: '127.0.0.1',
      port: 0,
      source: diskSource(folder),
      events: sink,
      native,
    })
    await service.start()
  })
  afterAll(async () => {
    await service.stop()
    await rm(folder, { recursive: true })
  })

  test('tftp-hpa, binary and netascii', async () => {
    const tftp = requireClient('tftp')
    await run(tftp, ['-m', 'binary', '127.0.0.1', port(), '-c', 'get', '/binary', into('hpa')])
    expect(sha(await readFile(into('hpa')))).toBe(sha(binary))
    await run(tftp, ['-m', 'ascii', '127.0.0.1', port(), '-c', 'get', 'text', into('hpa-text')])
    expect(await readFile(into('hpa-text'), 'utf8')).toBe(text)
  })

  test.each([
    ['no options', []],
    ['blksize 1468', ['--option', 'blksize 1468']],
    ['blksize 1468, windowsize 16', ['--option', 'blksize 1468', '--option', 'windowsize 16']],
    ['tsize and timeout', ['--option', 'tsize 0', '--option', 'timeout 3']],
  ])('atftp, %s', async (_, options) => {
    const atftp = requireClient('atftp')
    await run(atftp, [...options, '-g', '-r', 'binary', '-l', into('atftp'), '127.0.0.1', port()])
    expect(sha(await readFile(into('atftp')))).toBe(sha(binary))
    await rm(into('atftp'))
  })

  test.each([512, 1468, 8192, 65_464])('curl, blksize %i', async (blksize) => {
    const curl = requireClient('curl')
    // curl takes the first slash off, so it asks for /binary.
    const url = `tftp://127.0.0.1:${port()}//binary`
    await run(curl, ['-sS', '--tftp-blksize', String(blksize), '-o', into('curl'), url])
    expect(sha(await readFile(into('curl')))).toBe(sha(binary))
  })

  test('curl, a missing file: an ERROR at once', async () => {
    const curl = requireClient('curl')
    const url = `tftp://127.0.0.1:${port()}/missing`
    // 68 is curl's "file not found on TFTP server".
    await expect(run(curl, ['-sS', '--max-time', '3', url])).rejects.toMatchObject({ code: 68 })
  })

  test('busybox tftp', async () => {
    const busybox = requireClient('busybox')
    const args = ['tftp', '-g', '-b', '1400', '-r', 'binary', '-l', into('busybox'), '127.0.0.1', port()]
    await run(busybox, args)
    expect(sha(await readFile(into('busybox')))).toBe(sha(binary))
  })

  test('the npm package tftp, which requests a timeout of 3000 (RFC 2349: at most 255)', async () => {
    const { createClient } = createRequire(import.meta.url)('tftp') as NpmTftp
    const client = createClient({ host: '127.0.0.1', port: Number(port()), blockSize: 1468, windowSize: 4 })
    await new Promise<void>((resolve, reject) => {
      client.get('binary', into('npm'), (error) => (error ? reject(error) : resolve()))
    })
    expect(sha(await readFile(into('npm')))).toBe(sha(binary))
  })

  test('every transfer but that of the missing file was complete', async () => {
    const others = events.filter((e) => e.type !== 'served' || e.outcome !== 'complete')
    for (const event of others)
      expect(event).toMatchObject({ type: 'served', path: 'missing', kind: 'not-found' })
  })
})

interface NpmTftp {
  createClient(options: { host: string; port: number; blockSize: number; windowSize: number }): {
    get(remote: string, local: string, done: (error?: Error) => void): void
  }
}

import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../server/emulator/child.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { type Bench, makeBench, startTreeboot } from '../support/lab/lab.ts'

const execute = promisify(execFile)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('treeboot is stopped while clients are loading', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('curl', 'tftp', 'ip', 'tc')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  /** A server, and two clients over one line of 3 MB in a second, each in the middle of its file. */
  async function loading() {
    const [kernel, image] = [randomBytes(6 * 1024 * 1024), randomBytes(1024 * 1024)]
    writeFileSync(join(bench.folder, 'tftpboot/kernel'), kernel)
    writeFileSync(join(bench.folder, 'tftpboot/image'), image)
    const lan = makeLan(bench.undo)
    const rack = lan.addHost('192.0.2.10')
    // A short queue: tftp-hpa asks for a block of 512 when it has the one before.
    const queue = ['dev', 'host0', 'root', 'tbf', 'rate', '24mbit', 'burst', '32k', 'limit', '32k']
    run(...lan.inside(['tc', 'qdisc', 'add', ...queue]))
    const treeboot = await startTreeboot(bench, { lan })
    const files = { byCurl: join(bench.folder, 'by-curl'), byTftp: join(bench.folder, 'by-tftp') }
    const at = async (...command: [string, ...string[]]) => {
      const [file, ...args] = rack.inside(command)
      return execute(file, args).catch((error: { code: number; stdout: string; stderr: string }) => error)
    }
    const curl = at('curl', '-sS', '-f', '-o', files.byCurl, `${treeboot.url}/kernel`)
    const tftp = at('tftp', '-m', 'octet', lan.address, '-c', 'get', 'image', files.byTftp)
    const bytesOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0
    for (const file of Object.values(files))
      await eventually(() => expect(bytesOf(file)).toBeGreaterThan(10_000), 20_000)
    const { pid, output, ended } = treeboot.child
    const signal = (): void => void process.kill(pid, 'SIGTERM')
    return { kernel, image, curl, tftp, files, at, signal, output, ended, url: treeboot.url }
  }

  test('each gets its file to the end, and a new one meets nobody', async () => {
    const { kernel, image, curl, tftp, files, at, signal, output, ended, url } = await loading()
    signal()
    await output.waitFor(/stopping: waiting for 2 transfers, at most 60 s; a second signal ends it/, 5_000)
    // curl's code for a connection that was refused.
    expect(await at('curl', '-sS', `${url}/kernel`)).toMatchObject({ code: 7 })
    await Promise.all([curl, tftp])
    expect(sha(readFileSync(files.byCurl))).toBe(sha(kernel))
    expect(sha(readFileSync(files.byTftp))).toBe(sha(image))
    expect(await ended).toBe(0)
    expect(output.text).toMatch(/"type":"stop".*"stopped"/)
  })

  test('a second signal cuts them off', async () => {
    const { curl, tftp, signal, output, ended } = await loading()
    signal()
    await output.waitFor(/waiting for 2 transfers/, 5_000)
    signal()
    // curl's code for a file of which a part is missing.
    expect(await curl).toMatchObject({ code: 18 })
    const { stdout, stderr } = await tftp
    expect(stdout + stderr).toContain('the server is stopping')
    expect(await ended).toBe(0)
    expect(output.text).toMatch(/"stopped"/)
  })
})

describe('a client that has sent half of a request', () => {
  /** A server on which a curl holds half of a request open. */
  async function holding(config: Readonly<Record<string, unknown>> = {}) {
    const bench = makeBench()
    onTestFinished(() => bench.undo.unwind())
    const { child, url, ports } = await startTreeboot(bench, { config })
    const curl = spawn('curl', ['-sS', '-N', `telnet://127.0.0.1:${ports.http}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    onTestFinished(() => void curl.kill('SIGKILL'))
    // The answer to the first request shows that the server has read the connection, and so half of the second.
    curl.stdin.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost:')
    await once(curl.stdout, 'data')
    const signal = (name: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): void => void process.kill(child.pid, name)
    /** Resolves when the server has begun to stop. curl's code 7: refused. */
    const isStopping = () =>
      eventually(async () => {
        const probe = await execute('curl', ['-sS', url]).catch((error: { code: number }) => error)
        expect(probe).toMatchObject({ code: 7 })
      }, 20_000)
    return { ended: child.ended, signal, isStopping }
  }

  beforeEach(() => void requireClient('curl'))

  test.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const)('is given a moment, which a second signal ends: %s, then %s', async (first, second) => {
    const patient = await holding()
    const hurried = await holding()
    const order: string[] = []
    void patient.ended.then(() => order.push('patient'))
    patient.signal(first)
    hurried.signal(first)
    await hurried.isStopping()
    hurried.signal(second)
    expect(await hurried.ended).toBe(0)
    // It was told later to stop, and has stopped before.
    expect(order).toEqual([])
    expect(await patient.ended).toBe(0)
  })

  test('is given none by server.stop-grace: 0s', async () => {
    const patient = await holding()
    const none = await holding({ server: { 'stop-grace': '0s' } })
    const order: string[] = []
    void patient.ended.then(() => order.push('patient'))
    patient.signal()
    none.signal()
    expect(await none.ended).toBe(0)
    expect(order).toEqual([])
    expect(await patient.ended).toBe(0)
  })
})

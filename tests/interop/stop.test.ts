import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../server/cli/demo/child.ts'
import { makeLan } from '../../server/cli/demo/lan.ts'
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

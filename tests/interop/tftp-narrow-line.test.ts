import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../server/emulator/child.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, makeBench, startTreeboot } from '../support/lab/lab.ts'

const execute = promisify(execFile)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * A hundred machines with large windows have more under way than the line takes: most of it waits in our
 * sockets.
 */
describe('TFTP over a line that is slower than we are', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('atftp', 'ip', 'tc')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test('everybody gets the file, and little is sent twice', async () => {
    const clients = 100
    const kernel = randomBytes(2 * 1024 * 1024)
    writeFileSync(join(bench.folder, 'tftpboot/kernel'), kernel)
    const lan = makeLan(bench.undo)
    const rack = lan.addHost('192.0.2.10')
    // Our end of the line to the rack has the name host0: it is the first host of the network.
    const queue = ['dev', 'host0', 'root', 'tbf', 'rate', '400mbit', 'burst', '64k', 'limit', '200m']
    run(...lan.inside(['tc', 'qdisc', 'add', ...queue]))
    // Two processors would overtake each other with what comes in here, which a network card does not do.
    run(...rack.inside(['sh', '-c', 'echo 1 > /sys/class/net/eth0/queues/rx-0/rps_cpus']))
    await startTreeboot(bench, { lan })
    const options = ['--option', 'blksize 1468', '--option', 'windowsize 64']
    const fetchKernel = async (n: number): Promise<string> => {
      const into = join(bench.folder, `kernel-${n}`)
      const atftp = rack.inside(['atftp', ...options, '-g', '-r', 'kernel', '-l', into, lan.address])
      await execute(atftp[0], atftp.slice(1))
      return sha(readFileSync(into))
    }
    // The first one starts the thread that carries the others.
    const first = await fetchKernel(0)
    const others = await Promise.all(Array.from({ length: clients }, (_, n) => fetchKernel(n + 1)))
    expect(new Set([first, ...others])).toEqual(new Set([sha(kernel)]))
    const sent = /Sent (\d+) bytes/.exec(run(...lan.inside(['tc', '-s', 'qdisc', 'show', 'dev', 'host0'])))
    // Headers are 3 % of what is sent: 46 bytes (Ethernet, IP, UDP, TFTP) for each 1468.
    expect(Number(sent?.[1]) / ((clients + 1) * kernel.length)).toBeLessThan(1.1)
  })
})

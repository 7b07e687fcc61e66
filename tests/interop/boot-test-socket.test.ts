import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { bootTest } from '../../server/boottest/gate.ts'
import type { BootTestRequest } from '../../server/boottest/request.ts'
import { run } from '../../server/emulator/child.ts'
import { requireClient } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { type Bench, buildTreeboot, makeBench, treebootMain } from '../support/lab/lab.ts'
import { makeTree } from '../support/tree-folder.ts'

const units = join(import.meta.dirname, '../../packaging/systemd')
const service = 'treeboot-boottest@.service'

describe('the process of a boot test behind the socket of systemd', () => {
  let bench: Bench
  let socket: string
  beforeEach(() => {
    requireClient('systemd-socket-activate')
    buildTreeboot()
    bench = makeBench()
    socket = join(bench.folder, 'boot-test.sock')
    return () => bench.undo.unwind()
  })

  /** What systemd does for a socket with Accept=yes and a service whose standard input and output it is. */
  async function listen(): Promise<void> {
    const program = [process.execPath, treebootMain, 'boot-test']
    const child = spawn('systemd-socket-activate', ['--accept', '--inetd', '-l', socket, ...program])
    bench.undo.push('systemd-socket-activate', () => void child.kill('SIGKILL'))
    await eventually(() => expect(existsSync(socket)).toBe(true))
  }

  function request(): BootTestRequest {
    const path = join(bench.folder, 'incoming/fedora-40')
    makeTree(path, { version: '40' })
    const folder = join(bench.folder, 'boot-tests')
    const wanted = { firmware: ['uefi-http'], reach: 'auto', timeoutMs: 'auto', network: 'user' } as const
    return { id: 'fedora-40', path, kind: 'folder', trees: ['.'], folder, ...wanted }
  }

  test('says what each machine showed, one process for each test', async () => {
    await listen()
    for (const _ of [1, 2]) {
      const results = await bootTest(request(), { socket })
      expect(results).toMatchObject([{ firmware: 'uefi-http', outcome: 'impossible' }])
      expect(results[0]?.why).toMatch(/UEFI HTTP Boot needs a network with DHCP/)
    }
  })

  test('ends when the one who asked goes away, and gives its turn to the next', async () => {
    await listen()
    const aborter = new AbortController()
    const held = bootTest(
      { ...request(), firmware: ['direct'] },
      {
        socket,
        signal: aborter.signal,
        whyNotNow: async () => 'the test wants it to wait',
        onProgress: ({ state }) => state === 'held' && aborter.abort(new Error('given up')),
      },
    )
    await expect(held).rejects.toThrow('given up')
    expect(await bootTest(request(), { socket })).toMatchObject([{ outcome: 'impossible' }])
  })
})

test('without the socket the test is not possible here, and says what to do', async () => {
  const bench = makeBench()
  const folder = join(bench.folder, 'boot-tests')
  const wanted = { firmware: ['bios'], reach: 'auto', timeoutMs: 'auto' } as const
  const request = { id: 'x', path: bench.folder, kind: 'folder', trees: ['.'], folder, ...wanted } as const
  const results = await bootTest(request, { socket: join(bench.folder, 'none.sock') })
  expect(results).toMatchObject([{ firmware: 'bios', outcome: 'impossible' }])
  expect(results[0]?.why).toMatch(/ENOENT.*systemctl enable --now treeboot-boottest\.socket/)
  bench.undo.unwind()
})

describe('the units of the boot test', () => {
  test('are right, as systemd reads them', () => {
    requireClient('systemd-analyze')
    const bench = makeBench()
    const folder = join(bench.folder, 'units')
    mkdirSync(folder)
    // treeboot itself is not installed here.
    const text = readFileSync(join(units, service), 'utf8').replace('/usr/bin/treeboot', '/bin/true')
    writeFileSync(join(folder, service), text)
    const socket = readFileSync(join(units, 'treeboot-boottest.socket'))
    writeFileSync(join(folder, 'treeboot-boottest.socket'), socket)
    expect(run('systemd-analyze', 'verify', join(folder, 'treeboot-boottest.socket'))).toBe('')
    const args = ['--offline=true', '--threshold=20', join(folder, service)]
    expect(run('systemd-analyze', 'security', ...args)).toMatch(/Overall exposure level .*: \d/)
    bench.undo.unwind()
  })

  test('open the same socket that the server asks, which only treeboot may', () => {
    const socket = readFileSync(join(units, 'treeboot-boottest.socket'), 'utf8')
    const [, path] = /^ListenStream=(.+)$/m.exec(socket) ?? []
    const dropIn = readFileSync(join(units, 'treeboot.service.d/boot-test.conf'), 'utf8')
    expect(dropIn).toContain(`TREEBOOT_BOOT_TEST_SOCKET=${path}\n`)
    expect(socket).toMatch(/^SocketMode=0600$/m)
  })
})

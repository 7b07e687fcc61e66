import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app.ts'
import type { Step } from '../../server/core/boots/boot.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { keptFolder, makeTree } from '../support/tree-folder.ts'

/** Programs that send logs as installers do, and what becomes of their lines in the timeline of the boot. */

const home = keptFolder()
const secret = 'marker-4711'
let app: App
let port = 0

beforeAll(async () => {
  const guest = `guests: { web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40, vars: { root_password: ${secret} } } }\n`
  writeFileSync(join(home.path, 'config.yaml'), `${httpOnly}syslog: { enabled: true, port: 0 }\n${guest}`)
  makeTree(join(home.path, 'trees/fedora-40'))
  app = testApp(home.path)
  await app.start()
  port = app.serviceLines().find(({ name }) => name === 'syslog')?.port ?? 0
  // The boot that the lines belong to. Its loader asks from the address that the programs send from.
  const script = `http://127.0.0.1:${portOf(app)}/boot/by/52:54:00:aa:bb:01/ipxe`
  await eventually(async () => {
    expect((await fetch(script, { headers: { 'User-Agent': 'iPXE/1.21.1' } })).status).toBe(200)
    expect(await app.boots.list({ guest: 'web01', limit: 1 })).toHaveLength(1)
  })
})

afterAll(async () => {
  await app.stop()
  home.remove()
})

async function log(): Promise<Step | undefined> {
  const [boot] = await app.boots.list({ guest: 'web01', limit: 1 })
  return boot?.steps.find(({ kind }) => kind === 'log')
}

const shows = (words: string, more: Partial<Step> = {}) =>
  eventually(async () => expect(await log()).toMatchObject({ words, ...more }), 10_000)

describe('logger', () => {
  test.each([
    ['UDP, RFC 3164', ['-d', '--rfc3164']],
    ['UDP, RFC 5424', ['-d', '--rfc5424']],
    ['TCP, RFC 3164', ['-T', '--rfc3164']],
    ['TCP, RFC 5424', ['-T', '--rfc5424']],
    ['TCP, RFC 5424, counted', ['-T', '--rfc5424', '--octet-count']],
    ['TCP, RFC 3164, counted', ['-T', '--rfc3164', '--octet-count']],
    ['structured data', ['-T', '--rfc5424', '--sd-id', 'a@1', '--sd-param', 'b="x y"']],
  ])('%s', async (name, options) => {
    const logger = requireClient('logger')
    execFileSync(logger, [
      '-n',
      '127.0.0.1',
      '-P',
      String(port),
      ...options,
      '-t',
      'anaconda',
      `said by ${name}`,
    ])
    await shows(`anaconda: said by ${name}`)
  })

  test('a secret of the guest is starred, and a line of 8 KiB is shortened', async () => {
    const logger = requireClient('logger')
    const send = (text: string) =>
      execFileSync(logger, ['-n', '127.0.0.1', '-P', String(port), '-T', '--size', '16KiB', '-t', 'x', text])
    send(`root is ${secret} now`)
    await shows('x: root is *** now')
    send(`long ${'y'.repeat(12_000)}`)
    await eventually(async () => expect((await log())?.words).toMatch(/^x: long y{190,}$/))
  })
})

function started(program: string, options: readonly string[]): ChildProcess {
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

describe('rsyslogd, as Anaconda has it', () => {
  test.each([
    ['`*.* @@HOST:PORT`, which `inst.syslog=` and `logging --host` write', '*.* @@127.0.0.1:PORT'],
    ['UDP', '*.* @127.0.0.1:PORT'],
    ['counted', '*.* @@(o)127.0.0.1:PORT'],
    ['RFC 5424', '*.* @@127.0.0.1:PORT;RSYSLOG_SyslogProtocol23Format'],
    ['times as RFC 3339 has them', '*.* @@127.0.0.1:PORT;RSYSLOG_ForwardFormat'],
  ])('%s', async (name, action) => {
    const rsyslogd = requireClient('rsyslogd')
    const logger = requireClient('logger')
    const folder = keptFolder()
    onTestFinished(() => folder.remove())
    const socket = join(folder.path, 'log')
    const config = join(folder.path, 'rsyslog.conf')
    writeFileSync(
      config,
      `module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="${socket}")\n${action.replace('PORT', String(port))}\n`,
    )
    started(rsyslogd, ['-n', '-f', config, '-i', join(folder.path, 'pid')])
    const said = `said by rsyslogd ${name.slice(0, 3)}`
    // What comes before its actions are ready is dropped by rsyslogd 8.2302.
    await eventually(async () => {
      execFileSync(logger, ['-u', socket, '-t', 'anaconda', said], { stdio: 'pipe' })
      expect(await log()).toMatchObject({ words: `anaconda: ${said}` })
    }, 10_000)
    // One line of several, as Python writes what stopped it.
    const lines = 'Traceback (most recent call last):\n  File "a.py", line 3\nValueError: no disk'
    execFileSync(logger, ['-u', socket, '-t', 'anaconda', '--', lines.replaceAll('\n', '#012')])
    await eventually(async () => expect((await log())?.fault).toBe('Traceback: ValueError: no disk'), 10_000)
  })
})

test('busybox syslogd -R, as debian-installer has it', async () => {
  requireRoot()
  const busybox = requireClient('busybox', 'unshare', 'logger')
  // It makes /dev/log, so it gets a /dev of its own. With its own processes, it ends with them.
  const script = `mount -t tmpfs none /dev && mknod /dev/null c 1 3
${busybox} syslogd -n -m 0 -O /dev/messages -S -L -R 127.0.0.1:${port} &
for n in 1 2 3 4 5 6 7 8 9; do [ -S /dev/log ] && break; ${busybox} sleep 0.2; done
logger -u /dev/log -t main-menu "INFO: Menu item 'partman-base' selected"
${busybox} sleep 30`
  started('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script])
  await shows("main-menu: INFO: Menu item 'partman-base' selected", { what: 'partman-base' })
})

test('no line changed what the guest is, or ended its boot', async () => {
  expect(await app.boots.list({ guest: 'web01', limit: 9 })).toMatchObject([
    { state: 'running', guest: 'web01' },
  ])
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { guestWith, shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { findClient, requireClient } from '../support/clients.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/**
 * The snippet by which an installer reports, run by the shells and clients of installers: bash with curl (Anaconda,
 * Subiquity, AutoYaST), dash with GNU wget, and busybox with its wget or its nc alone (debian-installer).
 */

const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const withNc = { name: 'busybox and its nc', shell: ['busybox', 'sh'], tools: [], busybox: ['nc'] }
const clients = [
  { name: 'bash and curl', shell: ['bash'], tools: ['curl'], busybox: [] },
  { name: 'dash and GNU wget', shell: ['dash'], tools: ['wget'], busybox: [] },
  { name: 'busybox and its wget', shell: ['busybox', 'sh'], tools: [], busybox: ['wget'] },
  withNc,
]
/** What the snippet uses beside a client for HTTP. */
const everywhere = ['sed', 'cat', 'mkdir', 'chmod', 'ln']

const pathOf = (program: string): string => findClient(program) ?? program

interface Run {
  readonly seconds: number
  readonly posts: number
  readonly code: number | null
  readonly root: string
}

/**
 * Runs the snippet. `statuses` are the answers of the server, the last one for ever; 0 closes the connection. Time
 * passes by sleeping alone, so five minutes take no time.
 */
async function report(
  { shell, tools, busybox }: (typeof clients)[number],
  statuses: readonly number[],
  { retry = false, root = true, listens = true } = {},
): Promise<Run> {
  const folder = temporaryFolder()
  const bin = join(folder, 'bin')
  const target = join(folder, 'target')
  mkdirSync(bin)
  mkdirSync(join(target, 'etc/systemd/system'), { recursive: true })
  for (const tool of [...everywhere, ...tools]) symlinkSync(pathOf(tool), join(bin, tool))
  for (const applet of busybox) symlinkSync(pathOf('busybox'), join(bin, applet))
  const clock = join(folder, 'clock')
  writeFileSync(clock, '1000')
  // Functions and not programs: busybox runs its own applets before it looks for programs.
  const time = `date() { cat ${clock}; }\nsleep() { echo $(($(cat ${clock}) + $1)) > ${clock}; }\n`

  let posts = 0
  const server = createServer((req, res) => {
    const status = statuses[Math.min(posts++, statuses.length - 1)] ?? 500
    if (req.method !== 'POST' || status === 0) return void req.socket.destroy()
    res.writeHead(status).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound ? bound.port : 0
  onTestFinished(() => void server.close())
  if (!listens) server.close()

  const text = await snippet(`http://127.0.0.1:${port}/api/v1/guests/web01/installed/token`, {
    retry,
    root: root ? target : undefined,
  })
  writeFileSync(join(folder, 'report.sh'), `set -e\n${time}${text}`)
  const [command = '', ...args] = shell
  const child = spawn(pathOf(command), [...args, join(folder, 'report.sh')], {
    env: { PATH: bin },
    stdio: 'ignore',
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { seconds: Number(readFileSync(clock, 'utf8')) - 1000, posts, code, root: target }
}

async function snippet(
  to: string,
  { retry, root }: { retry: boolean; root: string | undefined },
): Promise<string> {
  const templates = new Map(shippedTemplates())
  const rootText = root === undefined ? 'none' : JSON.stringify(root)
  templates.set(
    'test.sh',
    `{% set report_to = ${JSON.stringify(to)} %}{% set report_root = ${rootText} %}{% include 'snippets/report.sh' %}`,
  )
  const plain = guestWith('test.sh', {})
  const guest = { ...plain, settings: { ...plain.settings, retry: { value: retry, from: 'here' } } }
  const options = {
    snapshot: () => snapshotWith([guest], templates),
    renderer,
    machines: noMachines,
    facts: () => ({ urls }),
  }
  return (await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })).text
}

describe.each(clients)('$name', (client) => {
  beforeEach(() => {
    requireClient('bash', 'dash', 'busybox', 'curl', 'wget')
  })

  test('ends at once when treeboot took the report, or refused it for good', async () => {
    for (const status of [204, 200, 403, 404, 409, 410])
      expect(await report(client, [status])).toMatchObject({ posts: 1, seconds: 0, code: 0 })
  })

  test('repeats on 5xx and on a broken connection after 2, 4, 8, ... seconds', async () => {
    expect(await report(client, [503, 0, 500, 204])).toMatchObject({ posts: 4, seconds: 2 + 4 + 8, code: 0 })
  })

  test('goes on for five minutes, and never fails', async () => {
    const run = await report(client, [503])
    expect(run.code).toBe(0)
    // The last pause may end up to 30 s after the five minutes.
    expect(run.seconds).toBeGreaterThanOrEqual(300)
    expect(run.seconds).toBeLessThan(330)
    expect(await report(client, [], { listens: false })).toMatchObject({ code: 0, posts: 0 })
  })

  test('then leaves a service that reports at the next boot, and only then', async () => {
    const file = (root: string): string => join(root, 'etc/systemd/system/treeboot-report.service')
    const failed = await report(client, [503])
    expect(readFileSync(file(failed.root), 'utf8')).toContain('ExecStart=/usr/local/sbin/treeboot-report')
    expect(
      existsSync(join(failed.root, 'etc/systemd/system/multi-user.target.wants/treeboot-report.service')),
    ).toBe(true)
    expect(readFileSync(join(failed.root, 'etc/treeboot-report'), 'utf8')).toMatch(/^http:.*\/token\n$/)
    for (const taken of [await report(client, [204]), await report(client, [503], { root: false })])
      expect(existsSync(file(taken.root))).toBe(false)
  })
})

test('with retry it goes on for an hour', async () => {
  requireClient('busybox')
  const { seconds } = await report(withNc, [503], { retry: true, root: false })
  expect(seconds).toBeGreaterThanOrEqual(3600)
  expect(seconds).toBeLessThan(3630)
})

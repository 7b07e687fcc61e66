import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import type { App } from '../../server/app.ts'
import type { Event } from '../../server/events/bus.ts'
import { httpOnly, portOf, testApp } from './app.ts'
import { type CliResult, treebootIn } from './cli.ts'
import { eventually } from './eventually.ts'
import { keptFolder, makeTree, writeBelow } from './tree-folder.ts'

/** A server with three guests and a tree for a file of tests, and what machines and people do with it. */

export const macs = { web01: '52-54-00-aa-bb-01', web02: '52-54-00-aa-bb-02', again: '52-54-00-aa-bb-03' }
const config = `${httpOnly}
profiles:
  web: { tree: { distro: fedora }, template: web.ks }
guests:
  web01: { mac: ${macs.web01}, profile: web }
  web02: { mac: ${macs.web02}, profile: web }
  again: { mac: ${macs.again}, profile: web, retry: true }
`
/** Two machines, and a person's computer. Each has an address of its own: on Linux every 127.x.y.z is ours. */
export const [machine, other, desk] = ['127.0.7.1', '127.0.7.2', '127.0.9.9']
/** With it, a report does not count as one from treeboot's own machine, as those from 127.x.y.z do. */
export const throughProxy = { 'x-forwarded-for': '10.9.9.9' }

/** Another folder for each file of tests: they may share this module. */
export const home = { path: '' }
/** All since the test began. */
export const events: Event[] = []
let running: App
let port: number

export const app = (): App => running

export async function start(): Promise<void> {
  running = testApp(home.path)
  events.length = 0
  running.events.subscribe((event) => events.push(event))
  await running.start()
  port = portOf(running)
}

/** For a file of tests: starts the server, and lets each test begin with guests that nobody has installed. */
export function serveGuests(): void {
  let folder: ReturnType<typeof keptFolder>
  beforeAll(async () => {
    folder = keptFolder()
    home.path = folder.path
    makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
    writeBelow(home.path, 'config.yaml', config)
    writeBelow(home.path, 'kickstart-templates/web.ks', '{{ tree.id }} {{ report_url }}\n')
    await start()
    await ready('fedora-40')
  }, 20_000)

  afterAll(async () => {
    await running.stop()
    folder.remove()
  })

  // Another process that forgets everything. The server notices, once the last test's changes have reached the disk.
  beforeEach(async () => {
    events.length = 0
    await eventually(async () => {
      meddle("update guests set state = 'install', since_ms = 0, install = 0, rest = '{}'")
      meddle('delete from steps; delete from inbox')
      for (const name of Object.keys(macs)) expect(await stateOf(name)).toBe('install')
    })
  })
}

export function meddle(sql: string): void {
  const raw = new Database(join(home.path, 'data/treeboot.db'))
  raw.exec(sql)
  raw.close()
}

export async function ready(tree: string): Promise<void> {
  await eventually(() => expect(running.snapshot().trees.byId(tree)?.state).toBe('ready'), 15_000)
}

interface Answer {
  readonly status: number
  readonly body: string
}

export function ask(
  from: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, localAddress: from, agent: false }
    const asked = httpRequest(options, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Loaders ask for this; its text is the plan. */
export const boot = async (name: keyof typeof macs, from = machine): Promise<string> =>
  (await ask(from, `/pxelinux.cfg/01-${macs[name]}`)).body

export async function stateOf(name: string): Promise<string> {
  return JSON.parse((await ask(desk, `/api/v1/guests/${name}`)).body).state
}

/** Everything a machine does until its installer runs. Resolves to the path of its `report_url`. */
export async function install(name: keyof typeof macs, from = machine): Promise<string> {
  expect(await boot(name, from)).toContain('LABEL install')
  await ask(from, '/trees/fedora-40/images/pxeboot/vmlinuz')
  const { body } = await ask(from, `/ks/${name}`)
  await eventually(async () => expect(await stateOf(name)).toBe('installing'))
  return new URL(body.trim().split(' ')[1] ?? '').pathname
}

export const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

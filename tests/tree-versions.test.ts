import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { VersionStore } from '../server/versions/version-store.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { isSearch } from './support/fuzz.ts'
import { imagesOfTree, keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** New versions are switched in while clients are in the middle of older ones. */

const mac = '52-54-00-aa-bb-01'
const config = `${httpOnly}
profiles:
  web: { tree: { distro: fedora }, template: web.ks }
guests:
  web01: { mac: ${mac}, profile: web }
`
const packages = Array.from({ length: 12 }, (_, at) => `Packages/${at}.rpm`)
const files = ['.treeinfo', ...Object.keys(imagesOfTree()), ...packages]

let home: ReturnType<typeof keptFolder>
let app: App
let port: number
let store: VersionStore

beforeEach(async () => {
  home = keptFolder()
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ tree.id }} {{ report_url }}\n')
  store = new VersionStore(join(home.path, 'trees'))
  await publish(1)
  await start()
})
afterEach(async () => {
  await app.stop()
  home.remove()
})

async function start(): Promise<void> {
  app = testApp(home.path)
  await app.start()
  port = portOf(app)
}

/** Every file of a version says which one it is of. */
async function publish(version: number): Promise<void> {
  const staged = join(home.path, 'trees/.treeboot/incoming', String(version))
  makeTree(staged, { version: String(version), extra: `; of ${version}\n` })
  for (const file of packages) writeBelow(staged, file, `package of ${version}\n`)
  await store.publish({ id: 'fedora', kind: 'folder', path: staged, source: 'test' })
}

/** Publishes, and waits until newcomers see it. */
async function switchIn(version: number): Promise<void> {
  await publish(version)
  await shown(version)
}

async function shown(version: number): Promise<void> {
  await eventually(() => expect(app.snapshot().trees.byId('fedora')?.release?.version).toBe(version), 10_000)
}

interface From {
  readonly address: string
  readonly agent?: Agent
}

function get({ address, agent }: From, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, localAddress: address, agent: agent ?? false }
    request(options, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve(body))
      res.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}

const versionIn = (text: string): number => Number(/ of (\d+)\n/.exec(text)?.[1])

/** @param pauseMs After each file, as an installer that unpacks it: a pass lasts over several versions. */
async function fetchTree(from: From, { pauseMs = 0 } = {}): Promise<number[]> {
  const versions: number[] = []
  for (const file of files) {
    versions.push(versionIn(await get(from, `/trees/fedora/${file}`)))
    if (pauseMs > 0) await pause(pauseMs)
  }
  return versions
}

describe('clients fetch a tree while new versions are switched in', () => {
  const [clientCount, last] = isSearch ? [16, 11] : [4, 4]

  test.each([
    ['each with an address of its own', (client: number) => `127.0.8.${client + 1}`],
    // Connections that fetch at the same time keep the version of their address until all have paused.
    ['all behind one address', () => '127.0.8.99'],
  ])(
    '%s: each sees one version of it',
    async (_, addressOf) => {
      let switching = true
      const passes: number[][] = []
      const clients = Array.from({ length: clientCount }, async (_each, client) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        const from = { address: addressOf(client), agent }
        while (switching) passes.push(await fetchTree(from, { pauseMs: 5 }))
        agent.destroy()
      })
      for (let version = 2; version <= last; version++) {
        const before = passes.length
        await eventually(() => expect(passes.length).toBeGreaterThan(before), 10_000)
        await switchIn(version)
      }
      switching = false
      await Promise.all(clients)
      for (const pass of passes) expect(new Set(pass).size, pass.join(' ')).toBe(1)
      expect(passes.length).toBeGreaterThan(clientCount)
      // Whoever comes afterwards, alone, has the newest.
      expect(new Set(await fetchTree({ address: '127.0.8.200' }))).toEqual(new Set([last]))
      // With addresses of their own they were not all kept on the first one.
      if (addressOf(0) !== addressOf(1)) expect(new Set(passes.flat()).size).toBeGreaterThan(2)
    },
    60_000,
  )
})

describe('a client that takes one file after the other', () => {
  test('has what the lookup told it of, and the newest when it asks again', async () => {
    const me = { address: '127.0.8.7' }
    const described = await get(me, '/api/v1/trees/fedora')
    expect(JSON.parse(described).release).toEqual({ id: 'fedora', version: 1 })
    expect(described).not.toContain(home.path)
    const told = JSON.parse(await get(me, '/api/v1/lookup?tree=fedora'))
    await switchIn(2)
    expect(versionIn(await get(me, new URL(told.kernel.url).pathname))).toBe(1)
    const again = JSON.parse(await get(me, '/api/v1/lookup?tree=fedora'))
    expect([told.tree.version, again.tree.version]).toEqual(['1', '2'])
    expect(versionIn(await get(me, new URL(again.kernel.url).pathname))).toBe(2)
  })
  test('sees a rollback when it begins anew', async () => {
    await switchIn(2)
    const me = { address: '127.0.8.7' }
    expect(new Set(await fetchTree(me))).toEqual(new Set([2]))
    await store.rollback('fedora')
    await shown(1)
    expect(versionIn(await get(me, '/trees/fedora/Packages/3.rpm'))).toBe(2)
    // A client that reads .treeinfo again, the first of `files`, starts over.
    expect(new Set(await fetchTree(me))).toEqual(new Set([1]))
  })
})

describe('a guest', () => {
  const machine = { address: '127.0.7.1' }

  async function treeboot(...args: string[]): Promise<string> {
    const { out, err } = await treebootIn(home.path, ...args)
    return out + err
  }

  test('sees the version that it was offered until its installation ends, over a restart too', async () => {
    expect(await get(machine, `/pxelinux.cfg/01-${mac}`)).toContain('/trees/fedora/images/pxeboot/vmlinuz')
    await switchIn(2)
    expect(new Set(await fetchTree(machine))).toEqual(new Set([1]))
    const report = new URL((await get(machine, '/ks/web01')).trim().split(' ')[1] ?? '').pathname
    await app.stop()
    await start()
    await switchIn(3)
    expect(new Set(await fetchTree(machine))).toEqual(new Set([1]))
    expect(new Set(await fetchTree({ address: '127.0.7.2' }))).toEqual(new Set([3]))
    expect(await treeboot('explain', 'web01')).toMatch(
      /^tree +fedora +<- .*bound until its installation ends, in version 1 since 20/m,
    )
    expect(JSON.parse(await treeboot('lookup', '--guest', 'web01')).tree.version).toBe('1')
    // `--now`: also versions that were replaced less than a day ago.
    const gc = await treeboot('trees', 'gc', '--delete', '--now', '--keep', '0')
    expect(gc).toMatch(/^stays +fedora +1 .*a machine is installing from it/m)
    expect(gc).toMatch(/^deleted +fedora +2 /m)
    expect(new Set(await fetchTree(machine))).toEqual(new Set([1]))

    const ended = await fetch(`http://127.0.0.1:${port}${report}`, { method: 'POST' })
    expect(ended.status).toBe(204)
    expect(new Set(await fetchTree(machine))).toEqual(new Set([3]))
    expect(await treeboot('trees', 'gc', '--now', '--keep', '0')).toMatch(/^would delete +fedora +1 /m)
  }, 30_000)
})

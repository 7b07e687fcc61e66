import { statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/**
 * Whatever strangers send, memory and store stay bounded: machines that nobody knows, names that nobody has, tokens that
 * nobody made. STRANGERS gives another number; the nightly run sends 100,000.
 */
const strangers = Number(process.env.STRANGERS ?? 1000)

/** What a stranger may leave in memory: with 100,000 of them a list without a bound would have tens of MB. */
const mostGrowthBytes = 40e6
/** Rows that strangers may leave, by table. Their boots are kept by time and number, see docs/boots.md. */
const mostRows: Readonly<Record<string, number>> = {
  inbox: 4000,
  guests: 1,
  steps: 200,
  accounts: 0,
  tokens: 0,
  sessions: 0,
  audit: 110_000,
  webhook_deliveries: 0,
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

test('strangers fill neither the memory nor the store', async () => {
  const home = keptFolder()
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(
    home.path,
    'config.yaml',
    `${httpOnly.replace('anonymous: viewer', 'anonymous: none')}guests: { web01: { mac: "52:54:00:aa:bb:01" } }\n`,
  )
  const app = testApp(home.path)
  await app.start()
  try {
    await flood(app, 500)
    const before = heapBytes()
    await flood(app, strangers)
    const growth = heapBytes() - before
    await app.boots.list({ limit: 1 })
    expect(growth).toBeLessThan(mostGrowthBytes)
  } finally {
    await app.stop()
  }
  const db = new Database(join(home.path, 'data/treeboot.db'), { readonly: true })
  const tables = db.prepare("select name from sqlite_master where type = 'table'").all() as { name: string }[]
  const counts = tables.map(({ name }): [string, number] => [
    name,
    (db.prepare(`select count(*) as n from "${name}"`).get() as { n: number }).n,
  ])
  const rows = Object.fromEntries(counts)
  for (const [name, most] of Object.entries(mostRows))
    expect([name, (rows[name] ?? Number.NaN) <= most ? 'bounded' : rows[name]]).toEqual([name, 'bounded'])
  db.close()
  // A boot of a stranger is some hundred bytes, and boots are kept by time and number.
  expect(statSync(join(home.path, 'data/treeboot.db')).size).toBeLessThan(8e6 + (rows.boots ?? 0) * 2000)
  home.remove()
}, 1_800_000)

/** Each round is another stranger. */
async function flood(app: App, rounds: number): Promise<void> {
  const port = portOf(app)
  const send = (method: string, path: string, body?: string, headers = {}) =>
    new Promise<void>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, agent, method, path, headers }, (res) =>
        res.resume().on('end', resolve),
      )
      sent.on('error', reject).end(body)
    })
  let n = 0
  const one = async (): Promise<void> => {
    while (n < rounds) {
      const id = (n++ + rounds * 1_000_000).toString(16).padStart(12, '0').slice(-10)
      const mac = `02:${id.match(/../g)?.join(':')}`
      await send(
        'GET',
        `/boot/by/${mac}/4c4c4544-0042-3510-8052-${mac.replaceAll(':', '')}/ipxe?serial=${id}&vendor=${id}`,
      )
      await send('GET', `/pxelinux.cfg/01-${mac.replaceAll(':', '-')}`)
      await send('GET', `/api/v1/lookup?mac=${mac}&tree=${id}`)
      await send('GET', '/api/v1/guests', undefined, { authorization: `Bearer treeboot_${id.repeat(4)}` })
      await send('GET', '/api/v1/events', undefined, { 'last-event-id': id })
      await send('POST', `/api/v1/guests/web01/progress/${id}?message=${id}`)
      await send('POST', `/api/v1/guests/${id}/installed`)
      await send('GET', `/trees/fedora-40/${id}?${id}`)
      // A password costs its time whether or not there is such an account; the server says when to come again.
      if (n % 50 === 0)
        await send('POST', '/api/v1/session', JSON.stringify({ name: id, password: 'a wrong password' }), {
          'content-type': 'application/json',
        })
    }
  }
  await Promise.all(Array.from({ length: 16 }, one))
}

/** What is in use after the garbage is gone. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type ApiResponse, asking } from './support/api.ts'
import { httpOnly } from './support/app.ts'
import { eventually } from './support/eventually.ts'
import { keptFolder, writeBelow } from './support/tree-folder.ts'

/** The nightly run kills a hundred servers. */
const kills = process.env.FUZZ_FACTOR ? 100 : 4
const users = ['u1', 'u2', 'u3']

const home = keptFolder()
const at = (path: string) => join(home.path, path)
let served = { port: 0, token: '' }
const ask = asking(
  () => `http://127.0.0.1:${served.port}`,
  () => served.token,
)
const api = (method: string, path: string, json?: unknown, headers: Record<string, string> = {}) =>
  ask(method, `/api/v1/${path}`, { json, headers: { 'if-match': '*', ...headers } })

/** One thing that a client changes again and again, one change after the other. */
interface Client {
  readonly title: string
  /** The change to the nth value, and what that is. */
  change(n: number): { readonly value: string; readonly send: () => Promise<ApiResponse> }
  /** The value as it is, after it was looked at from all sides. */
  read(): Promise<string>
}

const guestText = (name: string) => readFileSync(at(`guests.d/${name}.yaml`), 'utf8')

const guest: Client = {
  title: 'a guest is changed',
  change: (n) => ({
    value: `n=${n}`,
    send: () => api('PATCH', 'guests/edited/definition', { args: [`n=${n}`] }),
  }),
  async read() {
    const found = await api('GET', 'guests/edited/definition')
    expect(found.body.text).toBe(guestText('edited'))
    return found.body.data.args[0]
  },
}

const newGuest: Client = {
  title: 'a guest is made and removed',
  change: (n) => ({
    value: n % 2 === 1 ? 'there' : 'gone',
    send: () =>
      n % 2 === 1
        ? api('POST', 'guests', { name: 'made', definition: { mac: '52:54:00:aa:bb:99' } })
        : api('DELETE', 'guests/made'),
  }),
  async read() {
    const { status } = await api('GET', 'guests/made')
    expect(status).toBe(existsSync(at('guests.d/made.yaml')) ? 200 : 404)
    return status === 200 ? 'there' : 'gone'
  },
}

const profile: Client = {
  title: 'a profile that three guests name gets another name',
  change: (n) => ({
    value: `p${n % 2}`,
    send: () => api('POST', `profiles/p${(n + 1) % 2}/rename`, { to: `p${n % 2}` }),
  }),
  async read() {
    const { body } = await api('GET', 'profiles')
    const names = body.items.map(({ name }: { name: string }) => name)
    expect(names).toHaveLength(1)
    for (const user of users) expect(guestText(user)).toContain(`profile: ${names[0]}\n`)
    expect((await api('GET', 'problems')).body.items).not.toContainEqual(
      expect.objectContaining({ severity: 'error' }),
    )
    return names[0]
  },
}

/** Orders that were acknowledged: what a webhook and the audit must tell. */
const ordered: string[] = []
const saying = ({ state, since }: { state: string; since: string }) => `${state} ${since}`

const order: Client = {
  title: 'a guest is ordered to install and to boot its disk',
  change: (n) => {
    const word = n % 2 === 1 ? 'hold' : 'install'
    return {
      value: word === 'hold' ? 'held' : word,
      async send() {
        const answer = await api('POST', `guests/ordered/${word}`)
        if (answer.status === 200) ordered.push(saying(answer.body))
        return answer
      },
    }
  },
  read: async () => (await api('GET', 'guests/ordered')).body.state,
}

const uploadedAt = (path: string) => at(`trees/.treeboot/incoming/uploads/${path}`)
const bytesOf = (n: number) => `${n}.`.repeat(5_000)

let oldestUpload = 1
const upload: Client = {
  title: 'files are uploaded by PUT',
  change: (n) => ({
    value: String(n),
    send: () => ask('PUT', `/api/v1/uploads/put/${n}.bin`, { body: bytesOf(n) }),
  }),
  /** The last one that is complete. Each one that is not says so. */
  async read() {
    let last = 0
    for (let n = oldestUpload; ; n++) {
      const { status, headers } = await ask('HEAD', `/api/v1/uploads/put/${n}.bin`)
      if (status === 404) break
      if (headers.get('upload-complete') !== '?1') break
      expect(readFileSync(uploadedAt(`put/${n}.bin`), 'utf8')).toBe(bytesOf(n))
      last = n
    }
    const { body } = await api('GET', 'uploads')
    for (const { name, partial } of body.items)
      if (name === 'put')
        for (const each of partial) expect(each).toMatch(new RegExp(`\\b${last + 1}\\.bin$`))
    for (; oldestUpload < last; oldestUpload++)
      expect((await api('DELETE', `uploads/put/${oldestUpload}.bin`)).status).toBe(204)
    return String(last)
  },
}

const partBytes = 4096
const wholeBytes = 1 << 30
const part = (n: number) => String.fromCharCode(97 + (n % 26)).repeat(partBytes)
const tus = (method: string, path: string, headers: Record<string, string>, body?: string) =>
  ask(method, `/api/v1/uploads/tus${path}`, {
    headers: { 'tus-resumable': '1.0.0', ...headers },
    ...(body !== undefined && { body }),
  })
const append = (n: number, from = 0) =>
  tus(
    'PATCH',
    `/${wholeBytes}/tus/a.iso`,
    {
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String((n - 1) * partBytes + from),
    },
    part(n).slice(from),
  )

const resumable: Client = {
  title: 'a file is uploaded in parts by tus',
  change: (n) => ({ value: String(n), send: () => append(n) }),
  /** As a client does it: what was begun is sent to its end. */
  async read() {
    let { status, headers } = await tus('HEAD', `/${wholeBytes}/tus/a.iso`, {})
    if (status === 404) {
      const name = Buffer.from('tus/a.iso').toString('base64')
      const made = { 'upload-length': String(wholeBytes), 'upload-metadata': `filename ${name}` }
      expect((await tus('POST', '', made)).status).toBe(201)
      ;({ status, headers } = await tus('HEAD', `/${wholeBytes}/tus/a.iso`, {}))
    }
    expect(status).toBe(200)
    const offset = Number(headers.get('upload-offset'))
    const n = Math.ceil(offset / partBytes)
    if (offset % partBytes > 0) expect((await append(n, offset % partBytes)).status).toBe(204)
    const whole = readFileSync(uploadedAt('tus/a.iso'), 'latin1')
    expect(whole).toHaveLength(n * partBytes)
    for (let i = 1; i <= n; i++) expect(whole.startsWith(part(i), (i - 1) * partBytes)).toBe(true)
    return String(n)
  },
}

const template: Client = {
  title: 'a template is replaced',
  change: (n) => ({
    value: `# ${n}\n`,
    send: () =>
      ask('PUT', '/api/v1/templates/a.ks', {
        body: `# ${n}\n`,
        headers: { 'if-match': '*', 'content-type': 'text/plain' },
      }),
  }),
  async read() {
    const { text } = await api('GET', 'templates/a.ks')
    expect(text).toBe(readFileSync(at('kickstart-templates/a.ks'), 'utf8'))
    return text
  },
}

function madeAndRemoved(plural: 'tokens' | 'accounts', more: object): Client {
  return {
    title: `one of the ${plural} is made and removed`,
    change: (n) => ({
      value: n % 2 === 1 ? 'there' : 'gone',
      send: () =>
        n % 2 === 1
          ? api('POST', plural, { name: 'made', role: 'viewer', ...more })
          : api('DELETE', `${plural}/made`),
    }),
    async read() {
      const { items } = (await api('GET', plural)).body
      return items.some(({ name }: { name: string }) => name === 'made') ? 'there' : 'gone'
    },
  }
}

const clients = [
  guest,
  newGuest,
  profile,
  order,
  template,
  upload,
  resumable,
  madeAndRemoved('tokens', {}),
  madeAndRemoved('accounts', { password: 'a long password' }),
]

async function start(): Promise<ChildProcess> {
  const made = served.token === '' ? [] : [served.token]
  const child = fork(join(import.meta.dirname, 'support/app-child.ts'), [home.path, 'admin', ...made], {
    execArgv: ['--import', 'tsx'],
    stdio: 'inherit',
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the server did not start')))
  ended.catch(() => undefined)
  ;[served] = (await Promise.race([once(child, 'message'), ended])) as [typeof served]
  return child
}

/** What a client knows of its value: what was acknowledged last, and what it asked for when the server died. */
interface Known {
  n: number
  value: string
  asked?: string | undefined
}

async function work({ change, title }: Client, known: Known, end: { is: boolean }): Promise<void> {
  while (!end.is) {
    const { value, send } = change(known.n + 1)
    known.asked = value
    const answer = await send().catch(() => undefined)
    if (!answer) return
    if (answer.status >= 300) throw new Error(`${title}: ${answer.status} ${answer.text}`)
    Object.assign(known, { n: known.n + 1, value, asked: undefined })
  }
}

/** A receiver of webhooks, which outlives all servers. */
async function receiver() {
  const bodies: string[] = []
  const server = createServer((req, res) => {
    let text = ''
    req.on('data', (piece) => {
      text += piece
    })
    req.on('end', () => {
      bodies.push(text)
      res.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in` }
}

/** What was told by a webhook, and the audit: each acknowledged order is in both. */
async function checkTold(bodies: readonly string[], died: number): Promise<void> {
  await eventually(() => {
    const told = new Set(bodies.map((text) => saying(JSON.parse(text))))
    expect(ordered.filter((each) => !told.has(each))).toEqual([])
  }, 20_000)
  // One delivery was under way at each kill: no other may come twice.
  expect(bodies.length - new Set(bodies).size).toBeLessThanOrEqual(died)
  const { text } = await api('GET', 'audit/export')
  const lines = text.split('\n').filter((line) => /"guests\.(?:install|hold)"/.test(line)).length
  expect(lines).toBeGreaterThanOrEqual(ordered.length)
  expect(lines).toBeLessThanOrEqual(ordered.length + died)
}

test(
  'a server that is killed while clients write keeps what it acknowledged, and half of nothing',
  async () => {
    const hook = await receiver()
    const webhook = `{ url: "${hook.url}", kinds: [guests], secret: a secret of the test, allow-private: true }`
    writeBelow(home.path, 'config.yaml', `${httpOnly}webhooks: [${webhook}]\nlimits: { min-free: 0 }\n`)
    mkdirSync(at('trees'))
    writeBelow(home.path, 'profiles.d/p0.yaml', 'args: [quiet]\n')
    writeBelow(home.path, 'kickstart-templates/a.ks', '# 0\n')
    const names = [...users, 'ordered', 'edited']
    for (const [i, name] of names.entries())
      writeBelow(
        home.path,
        `guests.d/${name}.yaml`,
        `mac: 52:54:00:aa:bb:0${i}\n${users.includes(name) ? 'profile: p0' : 'args: [n=0]'}\n`,
      )
    let child = await start()
    const all = await Promise.all(
      clients.map(async (client) => ({ client, known: { n: 0, value: await client.read() } as Known })),
    )
    let acknowledged = 0
    for (let kill = 0; kill < kills; kill++) {
      const end = { is: false }
      const before = all.reduce((sum, { known }) => sum + known.n, 0)
      const working = Promise.allSettled(all.map(({ client, known }) => work(client, known, end)))
      await pause(50 + Math.random() * 1_000)
      end.is = true
      child.kill('SIGKILL')
      const [done] = await Promise.all([working, once(child, 'exit')])
      expect(done.filter(({ status }) => status === 'rejected')).toEqual([])
      acknowledged += all.reduce((sum, { known }) => sum + known.n, 0) - before
      child = await start()
      for (const { client, known } of all) {
        const found = await client.read()
        const possible = [known.value, known.asked ?? known.value]
        expect(possible, `${client.title}, after kill ${kill + 1}`).toContain(found)
        if (found === known.asked && found !== known.value) known.n++
        Object.assign(known, { value: found, asked: undefined })
      }
      await checkTold(hook.bodies, kill + 1)
    }
    expect(acknowledged).toBeGreaterThan(kills * clients.length)
  },
  kills * 60_000,
)

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type ApiResponse, asking } from './support/api.ts'
import { httpOnly } from './support/app.ts'
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

const order: Client = {
  title: 'a guest is ordered to install and to boot its disk',
  change: (n) => {
    const word = n % 2 === 1 ? 'hold' : 'install'
    return { value: word === 'hold' ? 'held' : word, send: () => api('POST', `guests/ordered/${word}`) }
  },
  read: async () => (await api('GET', 'guests/ordered')).body.state,
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

test(
  'a server that is killed while clients write keeps what it acknowledged, and half of nothing',
  async () => {
    writeBelow(home.path, 'config.yaml', httpOnly)
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
    }
    expect(acknowledged).toBeGreaterThan(kills * clients.length)
  },
  kills * 60_000,
)

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { asking } from './support/api.ts'
import { httpOnly } from './support/app.ts'
import { eventually } from './support/eventually.ts'
import { temporaryFolder, writeBelow } from './support/tree-folder.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

test('a clock that is set while the server runs locks nobody out, and ends no boot', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', httpOnly)
  writeBelow(cwd, 'guests.d/web.yaml', 'mac: 52:54:00:aa:bb:01\n')
  writeBelow(cwd, 'kickstart-templates/a.ks', '')
  const child = fork(join(import.meta.dirname, 'support/app-child.ts'), [cwd, 'admin'], {
    execArgv: ['--import', 'tsx'],
    stdio: 'inherit',
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [{ port, token }] = (await once(child, 'message')) as [{ port: number; token: string }]
  const base = () => `http://127.0.0.1:${port}`
  const setClock = async (aheadMs: number): Promise<void> => {
    const set = once(child, 'message')
    child.send({ aheadMs })
    await set
  }
  const api = asking(base, () => token)
  const password = 'a long password'
  await api('POST', '/api/v1/accounts', { json: { name: 'anna', role: 'viewer', password } })
  const signIn = (secret: string) =>
    asking(base, () => '')('POST', '/api/v1/session', {
      json: { name: 'anna', password: secret },
      headers: { 'sec-fetch-site': 'same-origin' },
    })
  const { body: made } = await api('POST', '/api/v1/tokens', {
    json: { name: 'day', role: 'viewer', expires: new Date(Date.now() + dayMs).toISOString() },
  })
  const ofDay = asking(base, () => made.token)

  const loader = { headers: { 'user-agent': 'iPXE/1.21.1' } }
  expect((await fetch(`${base()}/boot/by/52:54:00:aa:bb:01/ipxe`, loader)).status).toBe(200)
  const boots = async () => (await api('GET', '/api/v1/boots?guest=web')).body.items
  await eventually(async () => expect(await boots()).toHaveLength(1))
  const [begun] = await boots()

  for (const aheadMs of [hourMs, -hourMs, 3 * dayMs, -Date.now(), 10 * 365 * dayMs, 0]) {
    await setClock(aheadMs)
    // Orders and changes are taken at any time, and a person signs in.
    expect((await api('POST', '/api/v1/guests/web/hold')).status, `${aheadMs}`).toBe(200)
    expect((await signIn(password)).status, `${aheadMs}`).toBe(201)
    await signIn('a wrong password')
    // A token ends by the date.
    expect((await ofDay('GET', '/api/v1/session')).status, `${aheadMs}`).toBe(aheadMs >= dayMs ? 401 : 200)
    await pause(1_200)
    const [boot] = await boots()
    expect(boot, `${aheadMs}`).toMatchObject({ id: begun.id, state: begun.state })
    // Its start is where the clock now says that it was.
    expect(Math.abs(Date.parse(boot.start) - Date.parse(begun.start) - aheadMs)).toBeLessThan(hourMs / 2)
  }

  // Wrong passwords make everybody wait for seconds, whatever the clock says meanwhile.
  for (let n = 0; n < 5; n++) await signIn('a wrong password')
  const limited = await signIn(password)
  expect(limited.status).toBe(429)
  const waitS = Number(limited.headers.get('retry-after'))
  expect(waitS).toBeLessThan(10)
  await setClock(10 * dayMs)
  expect((await signIn(password)).status).toBe(429)
  await setClock(-10 * dayMs)
  await eventually(async () => expect((await signIn(password)).status).toBe(201), (waitS + 5) * 1000)
}, 60_000)

import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { setupAtStart, webBase } from '../../server/cli/setup-link.ts'
import { parseConfig } from '../../server/config/load.ts'
import { openAccounts, withAnna } from '../accounts/support.ts'

const base = 'http://boot.example:8080'

test('without a terminal the first start writes a link, and later ones keep it until it is over', async () => {
  const { accounts, dataFolder: data, clock } = await openAccounts()
  const start = (at = base) => setupAtStart(accounts, { base: at, data, shown: false })
  const link = () => readFileSync(`${data}/setup-link`, 'utf8')
  expect(await start()).toBe(`no account yet: the link in ${data}/setup-link makes the first one`)
  const first = link()
  expect(first).toMatch(/^http:\/\/boot\.example:8080\/setup#[\w-]{43}\n$/)
  await start()
  expect(link()).toBe(first)
  await start('http://new.example')
  const moved = link()
  expect(moved).toMatch(/^http:\/\/new\.example\/setup#/)
  await accounts.firstLook()
  clock.pass(61 * 60_000)
  await start('http://new.example')
  expect(link()).not.toBe(moved)
})

test('on a terminal each start shows a new one, and none lies in a file', async () => {
  const { accounts, dataFolder: data } = await openAccounts()
  await setupAtStart(accounts, { base, data, shown: false })
  const texts = [1, 2].map(() => setupAtStart(accounts, { base, data, shown: true }))
  const [first, second] = (await Promise.all(texts)).map(
    (text) => /\/setup#([\w-]{43})$/.exec(text ?? '')?.[1],
  )
  expect(first).toBeDefined()
  expect(first).not.toBe(second)
  expect(existsSync(`${data}/setup-link`)).toBe(false)
})

test('no link is made when there is an account', async () => {
  const { accounts, dataFolder: data } = await withAnna()
  expect(await setupAtStart(accounts, { base, data, shown: false })).toBeUndefined()
  expect([existsSync(`${data}/setup-link`), await accounts.isSetupOpen()]).toEqual([false, false])
})

test('a command takes the URL of the configuration, or guesses it', () => {
  const of = (text: string) => webBase(parseConfig(text, 'config.yaml', '/srv').config)
  expect(of('server: { url: "https://boot.example" }')).toBe('https://boot.example')
  expect(of('server: { bind: "::1" }')).toBe('http://[::1]:8080')
  expect(of('http: { bind: 10.0.0.7, port: auto }')).toBe('http://10.0.0.7:80')
})

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, quickApp } from '../../support/app.ts'
import { type BootTestProgram, bootTestProgram, mayIsolate } from '../../support/boot-test-program.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const ids = Array.from({ length: 12 }, (_, at) => `f${at + 30}`)
const config = (more: string) => `${httpOnly}
imports: { allow: ISOS }
${more}
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: f30 }
  lost: { mac: "52:54:00:aa:bb:02", tree: gone-1 }
`
let home: ReturnType<typeof keptFolder>
let app: App
let program: BootTestProgram
const tokens = { viewer: '', operator: '', orders: '' }
const as = (who: keyof typeof tokens) =>
  asking(
    () => `http://127.0.0.1:${portOf(app)}`,
    () => tokens[who],
  )
const ask = as('operator')

async function start(more = ''): Promise<void> {
  home = keptFolder()
  const isos = join(home.path, 'isos')
  writeBelow(home.path, 'config.yaml', config(more).replace('ISOS', JSON.stringify([isos])))
  mkdirSync(join(home.path, 'trees'))
  for (const id of ids) makeTree(join(home.path, 'trees', id), { version: id.slice(1) })
  makeTree(join(isos, 'new'), { version: '44' })
  program = bootTestProgram(home.path)
  app = quickApp({ cwd: home.path, newStore: 'install', bootTestProgram: program.command })
  await app.start()
  tokens.viewer = await makeToken(app, 'viewer')
  tokens.operator = await makeToken(app, 'operator')
  tokens.orders = await makeToken(app, 'operator', 'guests:read')
  await eventually(() => expect(app.snapshot().trees.byId('f30')?.state).toBe('ready'), 15_000)
}

afterEach(async () => {
  await app.stop()
  program.close()
  home.remove()
})

const jobAt = async (number: number) => (await ask('GET', `/api/v1/jobs/${number}`)).body
const passed = { firmware: 'bios', outcome: 'passed', reached: ['kernel', 'initrd'], ms: 12_000 } as const
const missing = { firmware: 'uefi-x64', outcome: 'impossible', why: 'install ovmf' } as const

describe.runIf(mayIsolate)('a boot test of a tree', () => {
  beforeEach(() => start())

  test('is a job with its place in the queue, and fails with what each machine showed', async () => {
    const made = await ask('POST', '/api/v1/trees/f30/boot-test')
    expect(made).toMatchObject({ status: 202, body: { kind: 'boot-test', subject: 'f30' } })
    const { number } = made.body
    program.say({ event: 'waiting', place: 2, waiting: 3 })
    const words = 'boot test of f30: bios, uefi-x64, place 2 of 3'
    await eventually(async () => expect((await jobAt(number)).progress?.bootTest?.words).toBe(words))
    expect((await jobAt(number)).progress).toMatchObject({
      stage: 'testing',
      bootTest: { state: 'queued', place: 2, waiting: 3 },
    })
    const list = await as('viewer')('GET', '/api/v1/boot-tests')
    expect(list.body).toMatchObject({ total: 1, items: [{ tree: 'f30', words, since: expect.any(String) }] })
    program.say({ event: 'result', result: passed })
    program.say({ event: 'booting', firmware: 'uefi-x64', timeoutMs: 600_000 })
    await eventually(async () =>
      expect((await jobAt(number)).progress?.bootTest).toMatchObject({
        state: 'booting',
        firmware: ['uefi-x64'],
        results: [{ firmware: 'bios', outcome: 'passed' }],
      }),
    )
    program.say({ event: 'result', result: missing }, { event: 'end' })
    await eventually(async () => expect((await jobAt(number)).state).toBe('failed'))
    expect(await jobAt(number)).toMatchObject({
      lines: ['bios: passed after 12 s: kernel, initrd', 'uefi-x64: not possible here: install ovmf'],
      problem: { detail: 'f30: 1 of 2 boot tests did not pass' },
    })
    expect((await ask('GET', '/api/v1/boot-tests')).body.total).toBe(0)
  })

  test('is ended by cancelling its job', async () => {
    const { number } = (await ask('POST', '/api/v1/trees/f30/boot-test')).body
    await eventually(async () => expect((await ask('GET', '/api/v1/boot-tests')).body.total).toBe(1))
    expect((await ask('POST', `/api/v1/jobs/${number}/cancel`)).body.state).toBe('cancelled')
    expect((await ask('GET', '/api/v1/boot-tests')).body.total).toBe(0)
  })

  test('runs alone, keeps no other job waiting, and at most ten are open', async () => {
    const order = (id: string) => ask('POST', `/api/v1/trees/${id}/boot-test`, { json: {} })
    const made = []
    for (const id of ids) made.push(await order(id))
    expect(made.map(({ status }) => status)).toEqual([...Array(10).fill(202), 429, 429])
    expect((await order('f30')).status).toBe(409)
    const states = async () => {
      const { body } = await ask('GET', '/api/v1/jobs?kind=boot-test&state=running')
      return body.items.map(({ subject }: { subject: string }) => subject)
    }
    await eventually(async () => expect(await states()).toEqual(['f30']))
    expect(await jobAt(made[3]?.body.number)).toMatchObject({ state: 'waiting', place: 2 })
    const verified = await ask('POST', '/api/v1/trees/f31/verify')
    await eventually(async () => expect((await jobAt(verified.body.number)).state).toBe('done'))
    expect(await states()).toEqual(['f30'])
  })

  test('of the tree of a guest needs an operator, who may give orders', async () => {
    const path = '/api/v1/guests/web01/try'
    const json = { vm: true, firmware: 'uefi-x64', 'secure-boot': true }
    expect((await as('viewer')('POST', path, { json })).status).toBe(403)
    expect((await as('orders')('POST', path, { json })).status).toBe(403)
    expect((await as('viewer')('POST', path, { json: { firmware: 'direct' } })).status).toBe(200)
    expect(await ask('POST', path, { json: { vm: true, as: 'install' } })).toMatchObject({ status: 400 })
    expect(await ask('POST', path, { json: { firmware: 'secure-boot' } })).toMatchObject({ status: 400 })
    expect((await ask('POST', '/api/v1/guests/lost/try', { json })).status).toBe(409)
    expect(await ask('POST', path, { json })).toMatchObject({
      status: 202,
      body: { request: { kind: 'boot-test', tree: 'f30', firmware: ['secure-boot'] } },
    })
  })
})

describe.runIf(mayIsolate)('the boot test of an import', () => {
  beforeEach(() => start('verify: { boot-test: { firmware: [bios], required: false } }'))

  test('is shown in its job, in events and in the version, and ends with the job', async () => {
    const told: string[] = []
    app.events.subscribe((event) => {
      if (event.type === 'boot-test') told.push(event.state)
    })
    const json = { kind: 'import', source: join(home.path, 'isos/new'), id: 'f44' }
    const first = (await ask('POST', '/api/v1/jobs', { json })).body
    await eventually(async () => expect((await jobAt(first.number)).progress?.stage).toBe('testing'), 15_000)
    await ask('POST', `/api/v1/jobs/${first.number}/cancel`)
    expect(await jobAt(first.number)).toMatchObject({ state: 'cancelled' })
    expect(app.snapshot().trees.byId('f44')).toBeUndefined()
    expect(told).toEqual(['starting', 'cancelled'])

    const { number } = (await ask('POST', '/api/v1/jobs', { json })).body
    await eventually(async () => expect((await jobAt(number)).progress?.stage).toBe('testing'), 15_000)
    const log = join(home.path, 'trees/.treeboot/boot-tests/logs/x.log')
    const impossible = {
      firmware: 'bios',
      outcome: 'impossible',
      why: 'install qemu-system-x86',
      log,
    } as const
    program.say({ event: 'result', result: impossible }, { event: 'end' })
    await eventually(async () => expect((await jobAt(number)).state).toBe('done'), 15_000)
    const versions = await as('viewer')('GET', '/api/v1/trees/f44/versions')
    expect(versions.body.items[0].bootTest).toEqual([
      {
        firmware: 'bios',
        outcome: 'impossible',
        reached: [],
        ms: null,
        why: 'install qemu-system-x86',
        untested: null,
      },
    ])
    expect(told.slice(2)).toEqual(['starting', 'ended'])
  })
})

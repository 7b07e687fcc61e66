import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import request from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { keptFolder } from './support/tree-folder.ts'

test('events that timelines lose are counted in the metrics, and are a problem', async () => {
  const home = keptFolder()
  writeFileSync(join(home.path, 'config.yaml'), httpOnly)
  const app = testApp(home.path)
  onTestFinished(async () => {
    await app.stop()
    home.remove()
  })
  await app.start()
  const base = `http://127.0.0.1:${portOf(app)}`
  const lost = async () =>
    Number(/^treeboot_boot_events_lost_total (\d+)$/m.exec((await request(base).get('/metrics')).text)?.[1])
  const problems = async () =>
    (await request(base).get('/api/v1/problems').expect(200)).body.items.filter(
      ({ where }: { where: string }) => where === 'boots',
    )
  expect([await lost(), await problems()]).toEqual([0, []])
  // More at once than the queue of the recorder holds.
  for (let n = 0; n < 10_000; n++)
    app.events.emit({ type: 'report', guest: 'web01', client: '192.0.2.7', state: 'progress' })
  await app.boots.list({ limit: 1 })
  expect(await lost()).toBe(10_000 - 4096)
  expect(await problems()).toMatchObject([{ severity: 'warning', message: expect.stringContaining('lost') }])
})

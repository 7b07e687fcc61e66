import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { waitForTurn } from '../../server/boottest/queue.ts'
import { takeLock } from '../../server/host/lock.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

const ticket = (folder: string, ms: number, pid: number) =>
  join(folder, 'queue', `${String(ms).padStart(15, '0')}-${pid}.lock`)

test('who came first goes first, and the others know their place', async () => {
  const folder = temporaryFolder()
  const releases = [
    await takeLock(ticket(folder, 1, 4), { holderIs: 'waits' }),
    await takeLock(ticket(folder, 2, 5), { holderIs: 'waits' }),
  ]
  const places: string[] = []
  let isMine = false
  const turn = waitForTurn(folder, (place, waiting) => places.push(`${place} of ${waiting}`)).then(
    (release) => {
      isMine = true
      return release
    },
  )
  await eventually(() => expect(places).toEqual(['2 of 2']))
  const later = await takeLock(ticket(folder, 10 ** 14, 6), { holderIs: 'waits' })
  await eventually(() => expect(places).toEqual(['2 of 2', '2 of 3']))
  await releases[0]?.()
  await eventually(() => expect(places).toEqual(['2 of 2', '2 of 3', '1 of 2']))
  expect(isMine).toBe(false)
  await releases[1]?.()
  await (await turn)()
  await later()
  expect((await readdir(join(folder, 'queue'))).filter((name) => name.endsWith('.lock'))).toEqual([])
})

test('what killed processes left keeps nobody waiting, and is removed', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'queue'))
  mkdirSync(join(folder, 'work-4/tftp'), { recursive: true })
  writeFileSync(ticket(folder, 1, 4), '')
  const release = await waitForTurn(folder, () => expect.unreachable())
  expect(existsSync(ticket(folder, 1, 4))).toBe(false)
  expect(existsSync(join(folder, 'work-4'))).toBe(false)
  await release()
})

import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { FreeSpace, spaceOf } from '../../server/host/free-space.ts'
import { ballastBytes } from '../../server/store/ballast.ts'
import { DataFolder } from '../../server/store/data-folder.ts'

let data = ''
let troubles: string[] = []
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'treeboot-data-'))
  troubles = []
  return () => rmSync(data, { recursive: true, force: true })
})

const folder = (minFree?: number): DataFolder =>
  new DataFolder({
    data,
    witness: [],
    onTrouble: (where, error) => troubles.push(`${where}: ${error}`),
    ...(minFree !== undefined && { minFree }),
  })

describe('the data folder of a server', () => {
  test('has a ballast, and is not shared with a second server', async () => {
    const first = folder(0)
    const { store, admin } = await first.open()
    expect(admin.isNew).toBe(true)
    expect(statSync(join(data, 'ballast'))).toMatchObject({ size: ballastBytes })
    expect(statSync(join(data, 'ballast')).mode & 0o777).toBe(0o600)
    expect(first.whyTooFull()).toBeUndefined()
    await expect(folder(0).open()).rejects.toMatchObject({ kind: 'conflict' })
    await store.close()
    await first.close()
    const second = folder(0)
    await (await second.open()).store.close()
    await second.close()
  })

  test('says so when its disk is fuller than limits.min-free allows, and makes no ballast then', async () => {
    const full = folder(Number.MAX_SAFE_INTEGER)
    const { store } = await full.open()
    expect(full.whyTooFull()).toMatch(
      /MiB free, and limits.min-free is .*: imports, mirrors and uploads stop, and the reserve/,
    )
    expect(troubles).toHaveLength(1)
    expect(existsSync(join(data, 'ballast'))).toBe(false)
    await store.close()
    await full.close()
  })
})

describe('large writes', () => {
  test('leave the smaller of 1 GiB and 2 % free, or what the operator says', async () => {
    const space = await spaceOf(data)
    expect(space?.kept).toBeGreaterThan(0)
    expect(space?.kept).toBeLessThanOrEqual(2 ** 30)
    expect((await spaceOf(data, 5))?.kept).toBe(5)
  })

  test('are refused before a byte is written when they would use up the rest', async () => {
    const { free = 0 } = (await spaceOf(data)) ?? {}
    await new FreeSpace(data, 0).check('a file', 1)
    await expect(new FreeSpace(data, 0).check('a file', free * 2)).rejects.toMatchObject({
      kind: 'too-large',
      message: expect.stringContaining('limits.min-free keeps 0 free'),
    })
    await expect(new FreeSpace(data, Number.MAX_SAFE_INTEGER).check('a file', 1)).rejects.toThrow(
      'room for 0',
    )
  })
})

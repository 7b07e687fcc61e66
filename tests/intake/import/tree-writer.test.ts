import { closeSync, fstatSync, openSync, readdirSync, readSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type FileFacts, TreeWriter } from '../../../server/intake/import/tree-writer.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

const mib = 1 << 20
const facts = { path: 'images/big', size: 200 * mib, modifiedMs: 1_713_000_000_000 }
const smaller = { ...facts, size: 40 * mib }

/** Each MiB begins with its number. */
async function* bytesFrom(start: number, end = facts.size) {
  const piece = Buffer.alloc(mib)
  for (let at = start; at < end; at += mib) {
    piece.writeUInt32LE(at / mib)
    yield piece
  }
}

/** The number at the beginning of each MiB of a file of whole MiB. */
function numbersIn(place: string): number[] {
  const file = openSync(place, 'r')
  const { size } = fstatSync(file)
  expect(size % mib).toBe(0)
  const word = Buffer.alloc(4)
  const numbers = Array.from({ length: size / mib }, (_, n) => {
    readSync(file, word, 0, 4, n * mib)
    return word.readUInt32LE()
  })
  closeSync(file)
  return numbers
}

async function writer() {
  const base = temporaryFolder()
  const made = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
  await made.start()
  return { base, made, place: join(base, 'tree', facts.path) }
}

describe('a large file', () => {
  test('is resumed before the last three marks of an interrupted run, with the same bytes', async () => {
    const { base, made, place } = await writer()
    const aborter = new AbortController()
    const stopped = made.write(
      facts,
      async function* (start) {
        for await (const piece of bytesFrom(start)) {
          if (piece.readUInt32LE() === 180) aborter.abort()
          yield piece
        }
      },
      aborter.signal,
    )
    await expect(stopped).rejects.toThrow()
    expect(readdirSync(join(base, 'tree'))).toEqual([])
    const starts: number[] = []
    const again = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
    await again.start()
    expect(await again.has(facts)).toBe(false)
    await again.write(facts, (start) => {
      starts.push(start / mib)
      return bytesFrom(start)
    })
    // 180 MiB were there: five marks of 32 MiB, and the last three may not have reached the disk.
    expect(starts).toEqual([64])
    const third = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
    await third.start()
    expect(await third.has(facts)).toBe(true)
    expect(numbersIn(place)).toEqual(Array.from({ length: 200 }, (_, n) => n))
    await again.finish()
    expect(readdirSync(base)).toEqual(['tree'])
  })

  test('that has changed is written from its first byte', async () => {
    const { base, made } = await writer()
    await expect(made.write(smaller, (start) => bytesFrom(start, 30 * mib))).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringMatching(new RegExp(`^images/big .*${smaller.size}.*${30 * mib}`)),
    })
    const starts: number[] = []
    await made.write({ ...smaller, modifiedMs: facts.modifiedMs + 1000 }, (start) => {
      starts.push(start)
      return bytesFrom(start, smaller.size)
    })
    expect(starts).toEqual([0])
    // The part of the file as it was is still there, until `finish`.
    expect(readdirSync(join(base, 'aside'))).toHaveLength(1)
  })

  test('whose partial copy is longer than the file is written from its first byte', async () => {
    const { base, made, place } = await writer()
    await expect(made.write(smaller, (start) => bytesFrom(start, 10 * mib))).rejects.toThrow('changes')
    const [part = ''] = readdirSync(join(base, 'aside'))
    truncateSync(join(base, 'aside', part), 900 * mib)
    await made.write(smaller, (start) => bytesFrom(start, smaller.size))
    expect(numbersIn(place)).toEqual(Array.from({ length: 40 }, (_, n) => n))
  })
})

test('files of an earlier run that the source no longer has are removed', async () => {
  const { base, made } = await writer()
  const file = (path: string): FileFacts => ({ path, size: 1, modifiedMs: 1_700_000_000_000 })
  const one = async function* () {
    yield Buffer.from('x')
  }
  for (const path of ['a/kept', 'a/stale', 'old/deep/stale', 'stale']) await made.write(file(path), one)
  await made.folder('empty/kept')
  const again = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
  await again.start()
  await again.folder('empty/kept')
  expect(await again.has(file('a/kept'))).toBe(true)
  await again.write(file('b/new'), one)
  again.link({ path: 'link', target: 'a/kept', hard: false })
  await again.finish()
  const names = readdirSync(join(base, 'tree'), { recursive: true }).map(String).sort()
  expect(names).toEqual(['a', 'a/kept', 'b', 'b/new', 'empty', 'empty/kept', 'link'])
})

import { expect, test } from 'vitest'
import { Failure, type FailureKind } from '../../../server/core/failure.ts'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { readTar } from '../../../server/intake/import/tar.ts'
import { type TarSpec, tarOf } from '../../support/tar.ts'

async function* inPieces(data: Uint8Array, pieceBytes = data.length) {
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes)
}

interface Read {
  readonly path: string
  readonly kind: string
  readonly target: string
  readonly modifiedMs: number
  readonly text: string
}

async function read(archive: Uint8Array, pieceBytes?: number): Promise<Read[]> {
  const found: Read[] = []
  for await (const { path, kind, target, modifiedMs, body } of readTar(inPieces(archive, pieceBytes))) {
    const pieces: Uint8Array[] = []
    for await (const piece of body()) pieces.push(piece)
    found.push({ path, kind, target, modifiedMs, text: Buffer.concat(pieces).toString() })
  }
  return found
}

async function refusalOf(archive: Uint8Array): Promise<[FailureKind, string]> {
  const error = await read(archive).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Failure)) throw new Error('expected a Failure', { cause: error })
  return [error.kind, error.message]
}

const pax = (records: Readonly<Record<string, string>>): TarSpec => {
  // A record begins with its own length, in which the digits of this number count, too (POSIX).
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    const digits = String(rest.length + 2).length
    return `${rest.length + digits}${rest}`
  })
  return { path: 'pax', type: 'x', data: lines.join('') }
}

/** Fields of a header (POSIX, ustar). */
const sizeAt = 124
const checksumAt = 148
const magicAt = 257

/** Sets bytes of the first header and mends its checksum. */
function patched(archive: Buffer, at: number, bytes: readonly number[]): Buffer {
  const header = archive.subarray(0, 512)
  header.set(bytes, at)
  header.write('        ', checksumAt)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, checksumAt)
  return archive
}

test.each([1, 100, 512, 1000, 1 << 20])('entries are the same in pieces of %i bytes', async (pieceBytes) => {
  const archive = tarOf([
    { path: 'folder/', type: '5' },
    { path: 'folder/file', data: 'x'.repeat(2000) },
    { path: 'empty', data: '' },
    { path: 'soft', type: '2', target: 'folder/file' },
    { path: 'hard', type: '1', target: 'empty' },
    { path: 'contiguous', type: '7', data: 'y' },
  ])
  const found = await read(archive, pieceBytes)
  expect(found.map(({ path, kind, target, text }) => [path, kind, target, text.length])).toEqual([
    ['folder/', 'folder', '', 0],
    ['folder/file', 'file', '', 2000],
    ['empty', 'file', '', 0],
    ['soft', 'symlink', 'folder/file', 0],
    ['hard', 'link', 'empty', 0],
    ['contiguous', 'file', '', 1],
  ])
})

const longName = `${'folder/'.repeat(30)}file`

test.each<[string, TarSpec]>([
  ['pax', pax({ path: longName })],
  ['GNU', { path: '././@LongLink', type: 'L', data: `${longName}\0` }],
])('a long name in the way of %s is used', async (_, extra) => {
  const found = await read(tarOf([extra, { path: 'short', data: 'x' }, { path: 'next' }]))
  expect(found.map(({ path }) => path)).toEqual([longName, 'next'])
})

test('a pax header gives the target and the fraction of a second', async () => {
  const archive = tarOf([
    pax({ linkpath: 'a/target', mtime: '1350244992.023960108' }),
    { path: 'soft', type: '2', target: 'short' },
  ])
  expect(await read(archive)).toMatchObject([{ target: 'a/target', modifiedMs: 1_350_244_992_023 }])
})

test('an entry that is not read is skipped', async () => {
  const paths: string[] = []
  const archive = tarOf([
    { path: 'a', data: 'x'.repeat(100_000) },
    { path: 'b', data: 'y' },
  ])
  for await (const { path } of readTar(inPieces(archive, 700))) paths.push(path)
  expect(paths).toEqual(['a', 'b'])
})

test('a consumer that stops early closes the input', async () => {
  let closed = false
  async function* input() {
    try {
      yield* inPieces(tarOf([{ path: 'a', data: 'x'.repeat(100_000) }, { path: 'b' }]), 600)
    } finally {
      closed = true
    }
  }
  for await (const { path } of readTar(input())) {
    expect(path).toBe('a')
    break
  }
  expect(closed).toBe(true)
})

test('devices, pipes and unknown types are reported as other', async () => {
  // 3 and 4 are devices, 6 is a pipe; V is GNU's label of a volume, and Z means nothing.
  const archive = tarOf(['3', '4', '6', 'V', 'Z'].map((type) => ({ path: `type${type}`, type })))
  expect((await read(archive)).map(({ kind }) => kind)).toEqual(Array(5).fill('other'))
})

test('a v7 archive, which has no magic, is read', async () => {
  const archive = patched(tarOf([{ path: 'old', data: 'x' }]), magicAt, Array(8).fill(0))
  expect(await read(archive)).toMatchObject([{ path: 'old', text: 'x' }])
})

test('the size in base 256, as GNU tar writes it for large files, is read', async () => {
  const archive = patched(tarOf([{ path: 'large', data: 'xyz' }]), sizeAt, [0x80, ...Array(10).fill(0), 3])
  expect(await read(archive)).toMatchObject([{ path: 'large', text: 'xyz' }])
})

test('the archive ends at the first block of zeros, whatever follows, and may end without one', async () => {
  const archive = tarOf([{ path: 'a', data: 'x' }])
  const junk = Buffer.alloc(700, 0xa5)
  expect(await read(Buffer.concat([archive, junk]))).toHaveLength(1)
  const headerAndBody = archive.subarray(0, 2 * 512)
  expect(await read(headerAndBody)).toHaveLength(1)
})

/** The numbers are bytes of the archive: a header has 512, and a body is padded to a multiple of 512. */
test.each<[string, Uint8Array, FailureKind, RegExp]>([
  ['an empty file', Buffer.alloc(0), 'invalid-data', /empty/],
  [
    'a cut header',
    tarOf([{ path: 'a', data: 'x' }, { path: 'b' }]).subarray(0, 1100),
    'invalid-data',
    /1024/,
  ],
  ['a cut body', tarOf([{ path: 'a', data: 'x'.repeat(900) }]).subarray(0, 1000), 'invalid-data', /1000/],
  ['no header', Buffer.alloc(1024, 'no header'), 'invalid-data', /no header at byte 0/],
  ['a sparse file', tarOf([{ path: 'a' }, { path: 's', type: 'S' }]), 'unsupported', /sparse.* 512/],
  [
    'a sparse file of the pax format',
    tarOf([pax({ 'GNU.sparse.major': '1' }), { path: 's' }]),
    'unsupported',
    /sparse/,
  ],
  [
    'a negative size',
    // -2 in base 256.
    patched(tarOf([{ path: 'a' }]), sizeAt, [...Array(11).fill(0xff), 0xfe]),
    'invalid-data',
    /byte 0/,
  ],
])('%s is refused', async (_, archive, kind, told) => {
  expect(await refusalOf(archive)).toEqual([kind, expect.stringMatching(told)])
})

test('a failure of the input is passed on as it is', async () => {
  const archive = tarOf([{ path: 'a', data: 'x'.repeat(900) }])
  async function* failing() {
    yield archive.subarray(0, 600)
    throw new Failure('unavailable', 'the disk is gone')
  }
  const reading = (async () => {
    for await (const { body } of readTar(failing())) for await (const _ of body());
  })()
  await expect(reading).rejects.toMatchObject({ kind: 'unavailable' })
})

test('more headers than an entry can need are refused', async () => {
  const extra = (count: number) => [...Array<TarSpec>(count).fill(pax({ comment: 'x' })), { path: 'a' }]
  expect(await read(tarOf([...extra(16), ...extra(16)]))).toHaveLength(2)
  expect(await refusalOf(tarOf(extra(17)))).toEqual([
    'invalid-data',
    expect.stringMatching(/16 .*byte 16384/),
  ])
})

test('a long name of 256 KiB is read, and a longer one is refused', async () => {
  const { bytes } = imageLimits.tarHeaders
  const named = (length: number) =>
    tarOf([{ path: '././@LongLink', type: 'L', data: 'x'.repeat(length) }, { path: 'short' }])
  expect((await read(named(bytes))).map(({ path }) => path.length)).toEqual([bytes])
  expect(await refusalOf(named(bytes + 1))).toEqual(['invalid-data', expect.stringMatching(`${bytes + 1}`)])
})

test('a long name in the way of old GNU tar is read', async () => {
  const archive = tarOf([{ path: 'name', type: 'N', data: 'long\0'.padStart(600, 'x') }, { path: 'short' }])
  expect((await read(archive)).map(({ path }) => path)).toEqual(['long'.padStart(599, 'x')])
})

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memorySource } from '../../../../server/files/memory.ts'
import { parseRange, type Span } from '../../../../server/protocols/http/files/range.ts'
import { runs } from '../../../support/fuzz.ts'
import { get, type OpenService, openListener, type RawResponse } from '../../../support/http.ts'

describe('parseRange', () => {
  const span = (from: number, length: number): Span => ({ from, length })
  test.each<[string, number, readonly Span[] | 'unsatisfiable' | undefined]>([
    ['bytes=0-', 10, [span(0, 10)]],
    ['bytes=3-5', 10, [span(3, 3)]],
    ['bytes=3-99', 10, [span(3, 7)]],
    ['bytes=-3', 10, [span(7, 3)]],
    ['bytes=-99', 10, [span(0, 10)]],
    ['Bytes = 1-2 , 5 - 6', 10, [span(1, 2), span(5, 2)]],
    ['bytes=5-6,1-2', 10, [span(5, 2), span(1, 2)]],
    ['bytes=0-3,2-5', 10, [span(0, 6)]],
    ['bytes=8-9,0-1,9-', 10, [span(8, 2), span(0, 2)]],
    ['bytes=0-1,2-3', 10, [span(0, 2), span(2, 2)]],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=20-30,1-1', 10, [span(1, 1)]],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, undefined],
    ['bytes=5-2', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['bytes=1', 10, undefined],
    ['lines=1-2', 10, undefined],
    [`bytes=0-${'9'.repeat(400)}`, 10, [span(0, 10)]],
  ])('%s of %i bytes', (header, size, expected) => {
    expect(parseRange(header, size)).toEqual(expected)
  })

  test('256 ranges are served, 257 are not', () => {
    const list = (n: number) => `bytes=${Array.from({ length: n }, (_, i) => `${i * 2}-${i * 2}`).join(',')}`
    expect(parseRange(list(256), 1000)).toHaveLength(256)
    expect(parseRange(list(257), 1000)).toBeUndefined()
  })

  test('no list of ranges asks for more than the file', () => {
    const item = fc
      .tuple(fc.option(fc.nat(150)), fc.option(fc.nat(150)))
      .map(([a, b]) => `${a ?? ''}-${b ?? ''}`)
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), fc.nat(100), (items, size) => {
        const spans = parseRange(`bytes=${items.join(',')}`, size)
        if (spans === undefined || spans === 'unsatisfiable') return
        const inOrder = [...spans].sort((a, b) => a.from - b.from)
        for (const [i, each] of inOrder.entries()) {
          const next = inOrder[i + 1]?.from ?? size
          expect(each.length).toBeGreaterThan(0)
          expect(each.from + each.length).toBeLessThanOrEqual(next)
        }
      }),
    )
  })

  test('any text is a result and never an exception', () => {
    fc.assert(fc.property(fc.string(), fc.nat(), (text, size) => void parseRange(`bytes=${text}`, size)))
  })
})

/** The pieces of a 206 or 200: where they begin in the file, and their bytes. */
function piecesOf({ status, headers, body }: RawResponse): { from: number; bytes: Buffer }[] {
  if (status === 200) return [{ from: 0, bytes: body }]
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) return [{ from: startOf(headers['content-range']), bytes: body }]
  const pieces = body.toString('latin1').split(`\r\n--${boundary}`)
  expect(pieces.shift()).toBe('')
  expect(pieces.pop()).toBe('--\r\n')
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    const head = piece.slice(0, end)
    expect(head).toContain('\r\nContent-Type: application/octet-stream')
    return {
      from: startOf(/Content-Range: (.*)/.exec(head)?.[1]),
      bytes: Buffer.from(piece.slice(end + 4), 'latin1'),
    }
  })
}

function startOf(contentRange: string | undefined): number {
  const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []
  expect(Number(to)).toBeLessThan(Number(total))
  return Number(from)
}

describe('ranges over the wire', () => {
  const size = 5000
  const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) % 256))
  let open: OpenService
  beforeAll(async () => {
    open = await openListener({ source: memorySource({ '/f': bytes, '/empty': '' }, Date.UTC(2024, 0, 1)) })
  })
  afterAll(() => open.service.stop())

  test('whatever is asked for, each piece is that slice of the file, and every byte asked for is there', async () => {
    const bound = fc.integer({ min: 0, max: size + 500 })
    const range = fc.oneof(
      fc.tuple(bound, bound).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
      bound.map((from) => ({ from, to: undefined })),
      bound.map((last) => ({ last })),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 12 }), async (ranges) => {
        const items = ranges.map((each) =>
          'last' in each ? `-${each.last}` : `${each.from}-${each.to ?? ''}`,
        )
        const response = await get(open.port, '/f', `Range: bytes=${items.join(', ')}`)
        const wanted = ranges.flatMap((each) => {
          const from = 'last' in each ? Math.max(0, size - each.last) : each.from
          const end = 'last' in each ? size : Math.min(size, (each.to ?? size) + 1)
          return end > from ? [[from, end] as const] : []
        })
        if (wanted.length === 0) {
          expect([response.status, response.headers['content-range']]).toEqual([416, `bytes */${size}`])
          return
        }
        expect(response.headers['content-length']).toBe(String(response.body.length))
        const pieces = piecesOf(response)
        for (const piece of pieces)
          expect(piece.bytes.equals(bytes.subarray(piece.from, piece.from + piece.bytes.length))).toBe(true)
        for (const [from, end] of wanted)
          expect(pieces.some((p) => p.from <= from && p.from + p.bytes.length >= end)).toBe(true)
      }),
      { numRuns: runs(150) },
    )
  })

  test('one range: exact Content-Range, and If-Range decides whether it counts', async () => {
    const whole = await get(open.port, '/f')
    const etag = whole.headers.etag ?? ''
    const date = whole.headers['last-modified'] ?? ''
    const part = await get(open.port, '/f', 'Range: bytes=4990-')
    expect([part.status, part.headers['content-range'], part.headers['content-length']]).toEqual([
      206,
      'bytes 4990-4999/5000',
      '10',
    ])
    expect(part.headers.etag).toBe(etag)
    for (const [value, status] of [
      [etag, 206],
      [date, 206],
      [`W/${etag}`, 200],
      ['"other"', 200],
      ['Mon, 01 Jan 2024 00:00:01 GMT', 200],
      ['nonsense', 200],
    ])
      expect([value, (await get(open.port, '/f', 'Range: bytes=0-1', `If-Range: ${value}`)).status]).toEqual([
        value,
        status,
      ])
  })

  test('416 has no body and says how large the file is', async () => {
    const { status, headers, body } = await get(open.port, '/f', 'Range: bytes=5000-')
    expect([status, headers['content-range'], headers['content-length'], body.length]).toEqual([
      416,
      'bytes */5000',
      '0',
      0,
    ])
    expect((await get(open.port, '/empty', 'Range: bytes=-5')).status).toBe(200)
  })
})

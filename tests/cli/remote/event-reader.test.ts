import { describe, expect, test } from 'vitest'
import { EventReader, type StreamBlock } from '../../../server/cli/remote/event-reader.ts'
import { Failure } from '../../../server/core/failure.ts'

function read(...pieces: readonly string[]): StreamBlock[] {
  const reader = new EventReader()
  return pieces.flatMap((piece) => reader.push(Buffer.from(piece)))
}

describe('events of a stream', () => {
  test('have a type, data and an id; comments, other fields and the blank after the colon are left out', () => {
    const text = ': hello\nevent: boots\nid: 3-a-4\nretry: 10\ndata: {"a":1}\ndata:  b\nother: x\n\n'
    expect(read(text)).toEqual([{ event: 'boots', id: '3-a-4', data: '{"a":1}\n b' }])
  })

  test('end with any line end, which may come in two pieces', () => {
    const event = { event: 'a', id: '', data: 'x' }
    expect(read('event: a\r\ndata: x\r\n\r\nevent: a\rdata: x\r\revent: a\ndata: x\n\n')).toEqual([
      event,
      event,
      event,
    ])
    expect(read('event: a\r', '\ndata: x\r', '\n\r', '\n')).toEqual([event])
  })

  test('may be cut within a letter', () => {
    const bytes = Buffer.from('data: Müller\n\n')
    const reader = new EventReader()
    expect([...bytes].flatMap((byte) => reader.push(Buffer.of(byte)))).toEqual([
      { event: '', id: '', data: 'Müller' },
    ])
  })

  test('without data tell how far one has come', () => {
    expect(read(': still here\nid: 7\n\n')).toEqual([{ event: '', id: '7', data: '' }])
    expect(read('id: 7\0\n\n', ': still here\n\n')).toEqual([])
  })
})

test.each([
  ['a line', ['data: ', 'x']],
  ['many lines', ['data: x\n']],
])('an event without an end is refused: %s', (_, [first = '', more = first]) => {
  const reader = new EventReader()
  reader.push(Buffer.from(first))
  const pieces = Math.ceil((2 * 1024 * 1024) / (more.length * 10_000))
  const feed = (): void => {
    for (let n = 0; n < pieces; n++) reader.push(Buffer.from(more.repeat(10_000)))
  }
  expect(feed).toThrow(Failure)
  expect(feed).toThrow(/more than 1048576 characters/)
})

import { describe, expect, test } from 'vitest'
import { type Session, Sessions } from '../../../../server/protocols/tftp/transfer/sessions.ts'

const request = Buffer.from('\0\x01file\0octet\0')

function session(key: string, client: string, sinceMs: number, heardMs: number | undefined): Session {
  const carriage = heardMs === undefined ? undefined : { heardMs, abort: () => undefined }
  return { key, client, sinceMs, request, carriage }
}

describe('who gets a place', () => {
  test('a request that comes again while its answer is on its way is the same; another one begins anew', () => {
    const sessions = new Sessions({ transfers: 2, perClient: 2 })
    expect(sessions.admit('a 1', 'a', request, 0)).toBe('new')
    sessions.add(session('a 1', 'a', 0, -1))
    expect(sessions.admit('a 1', 'a', request, 10)).toBe('repeat')
    expect(sessions.admit('a 1', 'a', Buffer.from('\0\x01other\0octet\0'), 10)).toBe('anew')
  })

  test('where there is none left, the oldest that nobody ever answered gives way, after a while', () => {
    const sessions = new Sessions({ transfers: 3, perClient: 3 })
    const busy = session('a 1', 'a', 0, 900)
    const forged = session('b 1', 'b', 10, -1)
    const young = session('c 1', 'c', 1500, -1)
    for (const each of [busy, forged, young]) sessions.add(each)
    expect(sessions.admit('d 1', 'd', request, 1600)).toBe('full')
    expect(sessions.yielding('d', 1600)).toBeUndefined()
    expect(sessions.yielding('d', 2100)).toBe(forged)
    sessions.remove(forged)
    expect(sessions.admit('d 1', 'd', request, 2100)).toBe('new')
  })

  test('for a client that has too many itself, only one of its own', () => {
    const sessions = new Sessions({ transfers: 10, perClient: 1 })
    sessions.add(session('a 1', 'a', 0, -1))
    sessions.add(session('b 1', 'b', 1, -1))
    expect(sessions.admit('b 2', 'b', request, 5000)).toBe('full')
    expect(sessions.yielding('b', 5000)?.key).toBe('b 1')
  })

  test('one whose file is still being looked up, or that moves, is left alone', () => {
    const sessions = new Sessions({ transfers: 2, perClient: 2 })
    sessions.add(session('a 1', 'a', 0, undefined))
    sessions.add(session('b 1', 'b', 0, 4900))
    expect(sessions.yielding('c', 5000)).toBeUndefined()
  })
})

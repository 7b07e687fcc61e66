import { describe, expect, test } from 'vitest'
import { type Session, Sessions } from '../../../../server/protocols/tftp/transfer/sessions.ts'

const request = Buffer.from('\0\x01file\0octet\0')

/**
 * `key`: a client and its port. `lastPacketMs` is undefined before the transfer has begun, -1 before the client's
 * first packet.
 */
function session(key: string, startMs: number, lastPacketMs: number | undefined): Session {
  const ends = { abort: () => undefined, drop: () => undefined }
  const transfer = lastPacketMs === undefined ? undefined : { lastPacketMs, ...ends }
  return { key, client: key.split(' ')[0] ?? '', startMs, request, transfer }
}

function admit(sessions: Sessions, key: string, nowMs: number, bytes = request): string {
  return sessions.admissionOf({ key, client: key.split(' ')[0] ?? '', request: bytes }, nowMs)
}

describe('admission', () => {
  test('the same request again is a repeat; another request from the same port is a restart', () => {
    const sessions = new Sessions({ transfers: 2, perClient: 2 })
    expect(admit(sessions, 'a 1', 0)).toBe('new')
    sessions.add(session('a 1', 0, -1))
    expect(admit(sessions, 'a 1', 10)).toBe('repeat')
    expect(admit(sessions, 'a 1', 10, Buffer.from('\0\x01other\0octet\0'))).toBe('restarted')
  })

  test('at the limit, the oldest session whose client never responded is evictable, after a while', () => {
    const sessions = new Sessions({ transfers: 3, perClient: 3 })
    const busy = session('a 1', 0, 900)
    const forged = session('b 1', 10, -1)
    const young = session('c 1', 1500, -1)
    for (const each of [busy, forged, young]) sessions.add(each)
    expect(admit(sessions, 'd 1', 1600)).toBe('full')
    expect(sessions.evictable('d', 1600)).toBeUndefined()
    expect(sessions.evictable('d', 2100)).toBe(forged)
    sessions.remove(forged)
    expect(admit(sessions, 'd 1', 2100)).toBe('new')
  })

  test('for a client at its own limit, only a session of that client is evictable', () => {
    const sessions = new Sessions({ transfers: 10, perClient: 1 })
    sessions.add(session('a 1', 0, -1))
    sessions.add(session('b 1', 1, -1))
    expect(admit(sessions, 'b 2', 5000)).toBe('full')
    expect(sessions.evictable('b', 5000)?.key).toBe('b 1')
  })

  test('a session whose file is being looked up, or whose client responds, is not evictable', () => {
    const sessions = new Sessions({ transfers: 2, perClient: 2 })
    sessions.add(session('a 1', 0, undefined))
    sessions.add(session('b 1', 0, 4900))
    expect(sessions.evictable('c', 5000)).toBeUndefined()
  })
})

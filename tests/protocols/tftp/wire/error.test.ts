import { describe, expect, test } from 'vitest'
import { Failure } from '../../../../server/core/failure.ts'
import { errorPacket, errorReply } from '../../../../server/protocols/tftp/wire/error.ts'
import { decodePacket } from '../../../../server/protocols/tftp/wire/packet.ts'

describe('failures as ERROR packets', () => {
  test('a missing file is code 1, forbidden and read-only are code 2', () => {
    expect(errorReply(new Failure('not-found', 'no x')).code).toBe(1)
    expect(errorReply(new Failure('forbidden', 'x')).code).toBe(2)
    expect(errorReply(new Failure('read-only', 'x')).code).toBe(2)
    expect(errorReply(Object.assign(new Error('ENOENT /srv/x'), { code: 'ENOENT' }))).toMatchObject({
      code: 1,
      text: 'file not found',
    })
  })

  test('an internal error is told to the operator, not to the client', () => {
    const reply = errorReply(new Error('EIO: /srv/secret'))
    expect(reply).toMatchObject({ code: 0, kind: 'internal', detail: 'EIO: /srv/secret' })
    expect(reply.text).not.toContain('secret')
  })
})

test('the text of an ERROR is cut to fit one frame and has no control characters', () => {
  const read = decodePacket(errorPacket(1, `${'ä'.repeat(2000)}\0\n`))
  expect(read.type === 'error' && Buffer.byteLength(read.message)).toBeLessThanOrEqual(500)
  expect(decodePacket(errorPacket(1, 'a\0b\nc'))).toMatchObject({ message: 'a b c' })
})

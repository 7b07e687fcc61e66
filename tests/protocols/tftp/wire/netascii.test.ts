import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toNetascii } from '../../../../server/protocols/tftp/wire/netascii.ts'
import { fromNetascii } from '../../../support/tftp-client.ts'

test('a line end becomes CR LF, a bare CR becomes CR NUL', () => {
  expect(Buffer.from(toNetascii(Buffer.from('a\nb\r\nc\r'))).toString()).toBe('a\r\nb\r\0\r\nc\r\0')
})

test('a client converts the text back to the same octets', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 10, 13, 65, 255)), (list) => {
      const bytes = Uint8Array.from(list)
      const sent = toNetascii(bytes)
      expect([...fromNetascii(sent)]).toEqual(list)
    }),
  )
})

import { expect, test } from 'vitest'
import { stating } from './stating.ts'

const message = 'cut.iso, byte 4096: expected 20 bytes of [a.b], found 7'

test('a message states its facts in order, whatever the words between them', () => {
  expect(message).toMatch(stating('cut.iso', 'byte 4096', 20, '[a.b]', 7))
  expect(message).not.toMatch(stating(7, 20))
})

test('a fact is a whole name or number of one line', () => {
  expect(message).not.toMatch(stating(409))
  expect(message).not.toMatch(stating('[axb]'))
  expect('one\ntwo').not.toMatch(stating('one', 'two'))
})

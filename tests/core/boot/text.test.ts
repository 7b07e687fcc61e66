import { expect, test } from 'vitest'
import { byteLength } from '../../../server/core/boot/text.ts'

test.each(['', 'plain', '\x7f\x80', '\u07ff\u0800', '\uffff\u{10000}', 'ü and 日本語 and 🐧'])(
  'the bytes of %j are those of its UTF-8',
  (text) => expect(byteLength(text)).toBe(Buffer.byteLength(text)),
)

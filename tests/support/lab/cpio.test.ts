import fc from 'fast-check'
import { expect, test } from 'vitest'
import { charDeviceMode, decodeCpio, encodeCpio, fileMode, folderMode } from './cpio.ts'

const member = fc.record({
  name: fc.stringMatching(/^[a-z0-9_]{1,12}(\/[a-z0-9_.]{1,9}){0,3}$/),
  mode: fc.constantFrom(fileMode, folderMode),
  data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
})

test('an encoded archive is decoded to the same members', () => {
  fc.assert(
    fc.property(fc.array(member), (members) => {
      expect(decodeCpio(encodeCpio(members))).toEqual(members)
    }),
  )
})

test('a device keeps its numbers', () => {
  const device = {
    name: 'dev/console',
    mode: charDeviceMode,
    data: Buffer.alloc(0),
    device: { major: 5, minor: 1 },
  }
  expect(decodeCpio(encodeCpio([device]))).toEqual([device])
})

test('data that is not an archive is refused', () => {
  expect(() => decodeCpio(Buffer.from('not an archive'))).toThrow('no cpio header at byte 0')
  // Header (110) and name (2), then the data (1): each padded to a multiple of 4. The header at 116 is cut.
  const cut = encodeCpio([{ name: 'a', mode: fileMode, data: Buffer.from('b') }]).subarray(0, 130)
  expect(() => decodeCpio(cut)).toThrow('no cpio header at byte 116')
})

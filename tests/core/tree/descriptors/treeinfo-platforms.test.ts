import { expect, test } from 'vitest'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import { stating } from '../../../support/stating.ts'

const read = (...lines: string[]) => {
  const found = readTreeinfo('.treeinfo', ['[general]', 'family = F', ...lines].join('\n'))
  if (!found) throw new Error('this is not read as a treeinfo')
  return found
}
/** The problems that concern sections of images. */
const messagesOf = (...lines: string[]) =>
  read(...lines)
    .problems.map(({ line, message }) => `${line ?? '-'}: ${message}`)
    .filter((message) => message.includes('images-'))
const pair = ['kernel = a', 'initrd = b']

test.each([
  ['', 'images- xen ', 'xen'],
  ['', 'Images-xen', 'xen'],
  ['', 'images-xen-', 'xen-'],
  ['armhfp', 'images-lpae-armhfp', 'lpae'],
  ['armhfp', 'images-armhfp', 'armhfp'],
  ['armhfp', 'images-lpaearmhfp', 'lpaearmhfp'],
])('with arch = %s, [%s] is the platform %s', (arch, section, platform) => {
  expect(Object.keys(read(`arch = ${arch}`, `[${section}]`, ...pair).platforms)).toEqual([platform])
})

test('two sections of one platform are merged: what the second says wins', () => {
  const lines = [
    'arch = arm',
    '[images-x-arm]',
    ...pair,
    'c = c',
    'd = d',
    '[images-x]',
    'kernel = A',
    'd = D',
  ]
  expect(read(...lines).platforms.x).toEqual({ kernel: 'A', initrd: 'b', others: { c: 'c', d: 'D' } })
  expect(messagesOf(...lines).filter((message) => message.includes('merged'))).toEqual([
    expect.stringMatching(stating('9:', '[images-x]', 'x')),
  ])
})

test('keys keep their case, except those of kernel and initrd', () => {
  const images = read('[images-x]', 'Kernel = a', 'INITRD = b', 'Kernel2 = c', 'MyInitrd = d', 'Boot.ISO = e')
  expect(images.platforms.x).toEqual({
    kernel: 'a',
    initrd: 'b',
    others: { Kernel2: 'c', MyInitrd: 'd', 'Boot.ISO': 'e' },
  })
})

test.each<[string, string[], RegExp[]]>([
  ['a complete platform', ['arch = x', '[images-x]', ...pair], []],
  ['no initrd', ['arch = x', '[images-x]', 'kernel = a'], [stating('4:', '[images-x]', 'initrd')]],
  ['no kernel', ['arch = x', '[images-x]', 'initrd = a'], [stating('4:', '[images-x]', 'kernel')]],
  ['no section of the arch', ['arch = x', '[images-xen]', ...pair], [stating('-:', '[images-x]')]],
  ['the same, and it is listed', ['arch = x', 'platforms = x'], [stating('4:', 'x', '[images-x]')]],
  ['the same in [tree]', ['[tree]', 'arch = x', 'platforms = x'], [stating('5:', 'x', '[images-x]')]],
  ['no arch', ['[images-xen]', ...pair], []],
  [
    'an arch in another spelling',
    ['arch = i686', '[images-i386]', ...pair],
    [stating('-:', '[images-i686]', '[images-i386]')],
  ],
])('%s: what is reported', (_title, lines, problems) => {
  expect(messagesOf(...lines)).toEqual(problems.map((problem) => expect.stringMatching(problem)))
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { repairTreeinfo } from '../../../../server/core/tree/descriptors/repair.ts'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import { readCorpus } from '../../../support/treeinfo-corpus.ts'

const known = { family: 'Fedora', version: '40', arch: 'x86_64', variant: 'Server' }
const good =
  '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n\n[images-x86_64]\n' +
  'kernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n'
const repair = (text: string | Uint8Array) => repairTreeinfo(Buffer.from(text), known)

test('a file that clients can read is left alone: a plain one and every real one', () => {
  expect(repair(good)).toBeUndefined()
  for (const { file, bytes } of readCorpus())
    if (file.startsWith('trees/')) expect(repairTreeinfo(bytes, known)?.why, file).toBeUndefined()
})

describe('repaired, with everything else kept:', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['a byte order mark', `\ufeff${good}`, 'byte order mark'],
    ['an absolute kernel', good.replace('= images/pxeboot/v', '= /images/pxeboot/v'), 'line 7'],
    ['a key twice', good.replace('version = 40', 'version = 39\nversion = 40'), 'line 4'],
    ['a key in another case', good.replace('version = 40', 'VERSION = 39\nversion = 40'), 'line 4: version'],
    ['a section twice', `${good}[general]\nfamily = Fedora\n`, '[general]'],
    ['a line that is neither section nor key', `${good}hello inputs\n`, 'key = value'],
    ['a line before all sections', `x = y\n${good}`, '[section]'],
  ])('%s', (_name, text, why) => {
    const repaired = repair(text)
    expect(repaired?.why.join('\n')).toContain(why)
    expect(repaired?.text).toBe(good)
  })

  test('bytes that are not UTF-8 become UTF-8', () => {
    const text = `${good}\n[release]\nname = F\xe9dora\n`
    const repaired = repair(Buffer.from(text, 'latin1'))
    expect(repaired?.text).toBe(text)
    expect(repaired?.why).toEqual([expect.stringMatching(/^(?!line).*windows-1252/)])
  })

  test('a bare % goes, a doubled one stays', () => {
    expect(repair(`${good}\n[release]\nname = 100% of 5%% %(x)s\n`)?.text).toContain(
      'name = 100 of 5%% (x)s\n',
    )
    expect(repair(`${good}\n[release]\nname = 5%% \n`)).toBeUndefined()
  })

  test.each([
    ['stage2', '/images/a', 'images/a'],
    ['Stage2', '//images/a', 'images/a'],
    ['Images-xen', '/a', 'a'],
    ['images-xen', '"/it\'s a"', "it's a"],
    ['images-xen', "'//a'", 'a'],
    ['images-xen', 'a/b/"c"', 'a/b/"c"'],
    ['my-images-xen', '/a', '/a'],
    ['variant-x', '/a', '/a'],
  ])('[%s] key = %s becomes %s', (section, value, expected) => {
    const text = (path: string) => `${good}\n[${section}]\nkey = ${path}\n`
    expect(repair(text(value))?.text ?? text(value)).toBe(text(expected))
  })

  test('of a [general] without a family, what it says stays', () => {
    const concluded = { family: '\r\n50%\nFed\x00%ora ', version: '40', arch: 'x86_64', variant: '' }
    const repaired = repairTreeinfo(Buffer.from('[general]\nversion = 39\n'), concluded)
    expect(repaired).toEqual({
      text: '[general]\nversion = 39\nfamily = 50 Fed ora\narch = x86_64\n',
      why: ['[general] lacks family, arch'],
    })
  })

  test('a missing [general] is written from what is known', () => {
    const rest = good.slice(good.indexOf('[images'))
    expect(repair(rest)?.text).toBe(
      `[general]\nfamily = Fedora\nversion = 40\narch = x86_64\nvariant = Server\n\n${rest}`,
    )
    expect(repair(rest)?.why).toEqual(['[general] lacks family, version, arch, variant'])
  })
})

test('the repaired text of any input needs no second repair and names a family', () => {
  const line = fc.constantFrom(
    '[general]',
    '[images-x86_64]',
    '[stage2]',
    'family = Fedora',
    'FAMILY = x',
    'arch = x86_64',
    '%',
    '=',
    'kernel = /a',
    'kernel=b %',
    ' initrd = "/c"',
    '\tmore',
    ': x',
    '[',
    '# note',
    '; note',
    '\ufeff',
    'é=ü',
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 14 }), (lines) => {
      const repaired = repair(lines.join('\n'))
      if (!repaired) return
      expect(repair(repaired.text)?.why).toBeUndefined()
      expect(readTreeinfo('.treeinfo', repaired.text)?.family).not.toBe('')
    }),
  )
})

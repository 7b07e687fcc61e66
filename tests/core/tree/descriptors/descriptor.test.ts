import { describe, expect, test } from 'vitest'
import { readDescriptor } from '../../../../server/core/tree/descriptors/descriptor.ts'
import { stating } from '../../../support/stating.ts'

const eraOf = (name: string, text: string) => readDescriptor(name, Buffer.from(text)).era

describe('of the formats that fit a text, the one with the name of the file is tried first:', () => {
  const discinfo = '1414159790.06\nOpenMandriva 4.2\nx86_64\n'
  const media = 'SUSE\nopenSUSE-Leap-15.5-DVD-x86_64\n1\nVENDOR SUSE\nDATADIR suse\n'
  const manifest = 'netboot/debian-installer -- PXE boot directory\nMageia 9\n'
  test.each([
    ['.discinfo', discinfo, 'discinfo'],
    ['mandriva.discinfo', discinfo, 'discinfo'],
    ['VERSION', discinfo, 'mageia-version'],
    ['unknown', discinfo, 'mageia-version'],
    ['.discinfo.bak', discinfo, 'mageia-version'],
    ['content', media, 'suse-content'],
    ['unknown', media, 'suse-content'],
    ['media.1/media', media, 'suse-media'],
    ['leap/media.1/media', media, 'suse-media'],
    ['leap_media.1_media', media, 'suse-media'],
    ['installer-amd64/MANIFEST', manifest, 'manifest'],
    ['unknown', manifest, 'mageia-version'],
  ])('%s', (name, text, era) => {
    expect(eraOf(name, text)).toBe(era)
  })

  test('the name of one file has no effect on the next', () => {
    expect(['.discinfo', 'unknown'].map((name) => eraOf(name, discinfo))).toEqual([
      'discinfo',
      'mageia-version',
    ])
  })
})

test('a file without any of the formats is refused, and the formats are named', () => {
  expect(() => eraOf('x.treeinfo', 'hello')).toThrow(stating('x.treeinfo', '.disk/info', 'MANIFEST'))
})

import { describe, expect, test } from 'vitest'
import { generatedTreeinfo, madeByTreeboot } from '../../../../server/core/tree/descriptors/generated.ts'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import { writeTreeinfo } from '../../../../server/core/tree/descriptors/write.ts'
import { debian12, fedora40 } from '../../../support/boot-inputs.ts'

describe('a .treeinfo that is made for a tree without one', () => {
  test('says so, and which other files are made', () => {
    const paths = ['install/netboot/debian-installer/amd64/linux', 'a b', 'two\nlines']
    const text = generatedTreeinfo(debian12, paths)
    expect(madeByTreeboot(text)).toEqual(['.treeinfo', ...paths.slice(0, 2)])
    expect(madeByTreeboot(writeTreeinfo(debian12))).toBeUndefined()
    // A comment further down is somebody else's.
    expect(madeByTreeboot(`; mine\n${text}`)).toBeUndefined()
  })

  test('is read as any other, without faults', () => {
    const again = readTreeinfo('.treeinfo', generatedTreeinfo(debian12, ['x']))
    expect(again).toMatchObject({ family: 'Debian', version: '12', arch: 'amd64', problems: [] })
    expect(again?.platforms).toEqual(debian12.platforms)
  })

  test('names a variant because clients insist on one, and no repository when none is known', () => {
    expect(readTreeinfo('.treeinfo', generatedTreeinfo(debian12, []))?.repositories).toEqual([])
    expect(readTreeinfo('.treeinfo', writeTreeinfo(debian12))?.repositories).toHaveLength(1)
    expect(readTreeinfo('.treeinfo', generatedTreeinfo(fedora40, []))?.repositories).toHaveLength(1)
  })
})

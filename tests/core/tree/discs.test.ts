import { describe, expect, test } from 'vitest'
import { bootImagesIn } from '../../../server/core/distro/layouts.ts'
import { sameArch } from '../../../server/core/tree/arch.ts'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import type { Description } from '../../../server/core/tree/tree.ts'
import { identifyVolume } from '../../../server/core/tree/volume-ids.ts'
import {
  type Disc,
  discs,
  isOfFamily,
  isSameMajor,
  otherArch,
  otherVersion,
} from '../../support/real-discs.ts'

/** Real discs, without any descriptor file: what their volume descriptors, boot files and names say. */

function conclude({ ids, kernel, initrd }: Disc, name: string): Description | undefined {
  const sizes = new Map([kernel, initrd].map((path): [string, number] => [path, 1]))
  return concludeTree({ name, volume: ids, descriptors: new Map(), sizes, modifiedMs: 0, problems: [] })
}

/** Whether only the header of its kernel tells the architecture of a disc. */
function saysNoArch({ ids, kernel, initrd }: Disc): boolean {
  return !identifyVolume(ids)?.arch && bootImagesIn([kernel, initrd], '').arch === ''
}

/** The volume identifiers of the discs for which a test fails, each once, without those whose reason is known. */
function failing(isRight: (disc: Disc, at: number) => boolean, known: readonly string[]): string[] {
  const wrong = discs.filter((disc, at) => !isRight(disc, at)).map(({ ids }) => ids.volume)
  return [...new Set(wrong)].filter((id) => !known.includes(id)).sort()
}

describe('790 real discs', () => {
  test('were read', () => {
    expect(discs).toHaveLength(790)
  })

  test.each([
    ['a neutral file name', (_disc: Disc, at: number) => `m${at}`, Object.keys(otherVersion)],
    // The file name tells the version of those which name none, unless it is of another release.
    [
      'their own file names',
      ({ file }: Disc, at: number) => `n${at}/${file.replace(/\.iso$/i, '')}`,
      Object.keys(otherVersion).filter((id) => /Android|nixos|MicroOS/.test(id)),
    ],
  ])('with %s: family, version and arch are right but for those named here', (_what, nameOf, versions) => {
    const concluded = discs.map((disc, at) => conclude(disc, nameOf(disc, at)))
    const hasFamily = (disc: Disc, at: number) => isOfFamily(disc, concluded[at]?.family ?? '')
    expect(failing(hasFamily, [])).toEqual([])
    const hasMajor = ({ version }: Disc, at: number) => isSameMajor(concluded[at]?.version ?? '', version)
    expect(failing(hasMajor, versions)).toEqual([])
    const hasArch = (disc: Disc, at: number) =>
      saysNoArch(disc) || sameArch(concluded[at]?.arch ?? '', disc.arch)
    expect(failing(hasArch, Object.keys(otherArch))).toEqual([])
    for (const isRight of [hasFamily, hasMajor, hasArch])
      expect(discs.filter(isRight).length / discs.length).toBeGreaterThanOrEqual(0.98)
  })

  test('fewer than one in ten leaves its architecture to the header of its kernel', () => {
    expect(discs.filter(saysNoArch).length).toBeLessThan(discs.length / 10)
  })
})

import { describe, expect, test } from 'vitest'
import { createTreeIndex } from '../../../server/core/select/select.ts'
import { tieOf } from '../../../server/core/select/ties.ts'
import type { Traits } from '../../../server/core/select/traits.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { fakeTree } from '../../support/trees.ts'

/** Which tree is taken, the others of its rank, and why: `b > a: its files are newer`. */
function tie(wanted: Traits, ...trees: Tree[]): string | undefined {
  const found = tieOf(wanted, createTreeIndex(trees).select(wanted))
  return found && `${found.taken.id} > ${found.rivals.map(({ id }) => id)}: ${found.why}`
}

const fedora = { distro: 'fedora' }
const [a, b] = [fakeTree({ id: 'a' }), fakeTree({ id: 'b' })]
const newer = fakeTree({ id: 'newer', modifiedMs: 9 })

describe('trees that fit a selector equally well', () => {
  test.each<[string, string, Traits, ...Tree[]]>([
    ['the newer files', 'newer > a,b: its files are newer', fedora, a, b, newer],
    ['the first id', 'a > b: its id comes first', fedora, b, a],
    [
      'two variants of one rank',
      'a > s: its id comes first',
      fedora,
      a,
      fakeTree({ id: 's', variant: 'live-server' }),
    ],
    [
      'another arch, when none is asked for',
      'a > arm: its id comes first',
      fedora,
      a,
      fakeTree({ id: 'arm', arch: 'aarch64' }),
    ],
    [
      'another distribution, when none is asked for',
      'a > z: its id comes first',
      { version: '40' },
      a,
      fakeTree({ id: 'z', distro: 'alma' }),
    ],
    [
      'one version in two spellings',
      'a > s: its id comes first',
      { distro: 'sles' },
      fakeTree({ id: 'a', distro: 'sles', version: '15.4' }),
      fakeTree({ id: 's', distro: 'sles', version: '15 SP4' }),
    ],
  ])('%s: %s', (_, expected, wanted, ...trees) => {
    expect(tie(wanted, ...trees)).toBe(expected)
  })

  test.each<[string, Traits, ...Tree[]]>([
    ['one tree', fedora, a],
    ['an older version', fedora, a, fakeTree({ id: '39', version: '39' })],
    ['a beta', fedora, a, fakeTree({ id: 'beta', version: '40 Beta' })],
    ['a variant of lower rank', fedora, a, fakeTree({ id: 'cloud', variant: 'Cloud' })],
    [
      'another arch than asked for',
      { ...fedora, arch: 'x86_64' },
      a,
      fakeTree({ id: 'arm', arch: 'aarch64' }),
    ],
    ['packages only', fedora, a, fakeTree({ id: 'p', platforms: {} })],
    ['one that is not ready', fedora, a, fakeTree({ id: 'i', state: 'incoming' })],
    ['another name of the same folder', fedora, a, fakeTree({ id: 'link', origin: a.origin })],
    [
      'a distribution that the name also covers',
      { distro: 'centos' },
      fakeTree({ id: 'c', distro: 'centos', version: '9' }),
      fakeTree({ id: 's', distro: 'centos-stream', version: '9' }),
    ],
    ['nothing that fits', { distro: 'debian' }, a],
  ])('%s is no tie', (_, wanted, ...trees) => {
    expect(tie(wanted, ...trees)).toBeUndefined()
  })
})

import fc from 'fast-check'
import type { Description } from '../../server/core/tree/tree.ts'
import { anyText } from './any-text.ts'

const nasty = fc.oneof(
  // Text with a meaning in an INI file.
  fc.constantFrom(
    '',
    '%',
    '%(x)s',
    'a\n[general]\nfamily = Evil',
    'x\r[stage2]',
    ']',
    '[',
    '=',
    ':',
    '#x',
    '; y',
    '"q"',
  ),
  // Text with a meaning in other places: encodings, paths, objects, keys.
  fc.constantFrom(
    '\ufeff',
    '\u2028',
    '\u0085',
    '../..',
    '/abs',
    './x',
    ' pad ',
    '__proto__',
    'kernel',
    'KERNEL',
    'é 붉',
    '\ud800',
  ),
  anyText({ maxLength: 12 }),
)
const hex = fc.stringMatching(/^[0-9a-f]{64}$/)

/** Descriptions as hostile as a foreign tree can make them: every text may try to break out of its line. */
export const nastyDescription: fc.Arbitrary<Description> = fc.record({
  era: fc.constant('files-only' as const),
  family: nasty,
  version: nasty,
  variant: nasty,
  arch: nasty,
  platforms: fc.dictionary(
    nasty,
    fc.record({ kernel: nasty, initrd: nasty, others: fc.dictionary(nasty, nasty) }),
  ),
  stage2: nasty,
  instimage: nasty,
  repositories: fc.array(
    fc.record({ id: nasty, name: nasty, kind: fc.constant('variant' as const), path: nasty }),
  ),
  checksums: fc.dictionary(
    nasty,
    hex.map((each) => ({ algorithm: 'sha256' as const, hex: each })),
  ),
  problems: fc.constant([]),
})

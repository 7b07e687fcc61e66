import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { machineFacts, type RawFacts } from '../../../server/core/guest/machine-facts.ts'
import {
  type Alternative,
  compareRanks,
  type Selected,
  type Selector,
  selectorLine,
  selectProfile,
} from '../../../server/core/guest/selectors.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const swapped = '44454c4c-4200-1035-8052-b4c04f4a3132'

function selector(profile: string, ...alternatives: Alternative[]): Selector {
  return { profile, auto: 'local', alternatives, definedAt: `profiles.d/${profile}.yaml:1` }
}

/** The name of the profile, `none`, or `a=b` for a tie. */
function said(selected: Selected): string {
  if (selected.kind === 'profile') return selected.selector.profile
  return selected.kind === 'tie' ? selected.profiles.join('=') : 'none'
}

const select = (raw: RawFacts, ...selectors: Selector[]) => selectProfile(machineFacts(raw), selectors)

describe('a key fits', () => {
  const fits = (alternative: Alternative, raw: RawFacts) => said(select(raw, selector('a', alternative)))

  test.each<[string, Alternative, RawFacts]>([
    ['a UUID', { uuid }, { uuid: uuid.toUpperCase() }],
    ['a UUID in the byte order of PXELINUX', { uuid }, { uuid: swapped }],
    ['a serial number in any case', { serial: 'abc1' }, { serial: ' ABC1' }],
    ['the beginning of a MAC', { macPrefix: '525400' }, { macs: ['52-54-00-AA-BB-01'] }],
    ['a beginning that ends within an octet', { macPrefix: '52540' }, { macs: ['52:54:0f:aa:bb:01'] }],
    ['one MAC of several', { macPrefix: '525400' }, { macs: ['02:00:00:00:00:01', '52:54:00:00:00:01'] }],
    ['a network', { subnet: '10.1.0.0/16' }, { address: '::ffff:10.1.2.3' }],
    ['a vendor class', { vendor: 'httpclient' }, { vendorClass: 'HTTPClient:Arch:00016' }],
    ['a maker', { vendor: 'dell' }, { vendorClass: 'PXEClient', maker: 'Dell Inc.' }],
    ['the CPU of UEFI', { arch: 'aarch64' }, { firmware: 'uefi-http-arm64' }],
    ['a BIOS, which does not say what its CPU is', { arch: 'i386' }, { firmware: 'bios' }],
  ])('%s', (_, alternative, raw) => {
    expect(fits(alternative, raw)).toBe('a')
  })

  test.each<[string, Alternative, RawFacts]>([
    ['another UUID', { uuid }, { uuid: '4c4c4544-0042-3510-8052-b4c04f4a3133' }],
    [
      'a placeholder UUID, also when it is named',
      { uuid: '03000200-0400-0500-0006-000700080009' },
      { uuid: '03000200-0400-0500-0006-000700080009' },
    ],
    [
      'a placeholder serial number, also when it is named',
      { serial: 'default string' },
      { serial: 'Default string' },
    ],
    ['a MAC that has the digits further on', { macPrefix: '00aabb' }, { macs: ['52:54:00:aa:bb:01'] }],
    ['an address outside', { subnet: '10.1.0.0/16' }, { address: '10.2.0.1' }],
    ['an address of the other family', { subnet: '::/0' }, { address: '10.2.0.1' }],
    [
      'a vendor that has the text further on',
      { vendor: 'arch' },
      { vendorClass: 'PXEClient:Arch:00007', maker: 'QEMU' },
    ],
    ['another CPU', { arch: 'x86_64' }, { firmware: 'uefi-arm64' }],
    ['nothing that was shown', { arch: 'x86_64', serial: 'a' }, { macs: ['52:54:00:aa:bb:01'] }],
    [
      'one key of two',
      { macPrefix: '525400', arch: 'aarch64' },
      { macs: ['52:54:00:aa:bb:01'], firmware: 'uefi-x64' },
    ],
  ])('no: %s', (_, alternative, raw) => {
    expect(fits(alternative, raw)).toBe('none')
  })
})

describe('the most particular alternative wins', () => {
  const raw = {
    macs: ['52:54:00:aa:bb:01'],
    uuid,
    serial: 's1',
    address: '10.1.2.3',
    maker: 'QEMU',
    firmware: 'uefi-x64',
  }
  /** From the most particular one down. */
  const order: Alternative[] = [
    { uuid, arch: 'x86_64' },
    { uuid },
    { serial: 's1' },
    { macPrefix: '525400aabb01' },
    { macPrefix: '525400', subnet: '10.1.2.3' },
    { macPrefix: '525400', arch: 'x86_64' },
    { macPrefix: '525400' },
    { macPrefix: '52540' },
    { subnet: '10.1.2.3' },
    { subnet: '10.1.0.0/16', vendor: 'qemu' },
    { subnet: '10.1.0.0/16' },
    { subnet: '10.0.0.0/8' },
    { subnet: '0.0.0.0/0' },
    { vendor: 'qemu', arch: 'x86_64' },
    { vendor: 'qemu' },
    { arch: 'x86_64' },
  ]

  test('in this order, whichever two meet', () => {
    for (const [i, more] of order.entries())
      for (const less of order.slice(i + 1))
        expect(said(select(raw, selector('less', less), selector('more', more)))).toBe('more')
  })

  test('a profile counts with its best alternative, and does not tie with itself', () => {
    const both = selector('a', { subnet: '10.0.0.0/8' }, { uuid }, { uuid: swapped })
    expect(said(select(raw, selector('b', { serial: 's1' }), both))).toBe('a')
  })

  test('a tie names all profiles that are as particular, and the keys', () => {
    const selected = select(
      raw,
      selector('z', { vendor: 'q' }),
      selector('b', { vendor: 'qemu' }),
      selector('c', { arch: 'x86_64' }),
    )
    expect(selected).toMatchObject({ kind: 'tie', profiles: ['b', 'z'], by: 'vendor' })
  })
})

test('what may still change the choice is said: keys that another profile waits for, as particular or more', () => {
  const mac = { macs: ['52:54:00:aa:bb:01'] }
  const waits = (...selectors: Selector[]) => {
    const selected = select(mac, ...selectors)
    return selected.kind === 'profile' ? [...selected.waits].sort() : selected.kind
  }
  const own = selector('own', { macPrefix: '525400' }, { serial: 's1' })
  expect(waits(own)).toEqual([])
  expect(waits(own, selector('b', { uuid }), selector('c', { macPrefix: '525400', arch: 'x86_64' }))).toEqual(
    ['arch', 'uuid'],
  )
  // Less particular, or excluded by what was shown.
  expect(waits(own, selector('b', { subnet: '10.0.0.0/8' }))).toEqual([])
  expect(waits(own, selector('b', { uuid, macPrefix: '525401' }))).toEqual([])
})

test('a selector is shown as people write it', () => {
  expect(selectorLine(selector('a', { arch: 'x86_64', macPrefix: '52540' }, { subnet: '10.0.0.0/8' }))).toBe(
    'mac-prefix 52:54:0, arch x86_64 | subnet 10.0.0.0/8',
  )
})

/** Few values, so that alternatives often fit and are often as particular as others. */
const alternative: fc.Arbitrary<Alternative> = fc
  .record(
    {
      uuid: fc.constantFrom(uuid, swapped, '4c4c4544-0042-3510-8052-b4c04f4a3133'),
      serial: fc.constantFrom('s1', 's2'),
      macPrefix: fc.constantFrom('52', '5254', '525400', '5255'),
      subnet: fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '0.0.0.0/0', '::/0'),
      vendor: fc.constantFrom('qemu', 'q', 'dell'),
      arch: fc.constantFrom('x86_64', 'i386', 'aarch64'),
    },
    { requiredKeys: [] },
  )
  .filter((each) => Object.keys(each).length > 0)
const facts = fc
  .record(
    {
      macs: fc.constantFrom(['52:54:00:00:00:01'], ['52:55:00:00:00:01'], []),
      uuid: fc.constantFrom(uuid, '00000000-0000-0000-0000-000000000000'),
      serial: fc.constantFrom('S1', 'None'),
      firmware: fc.constantFrom('bios', 'uefi-x64', 'uefi-arm64', 'ipxe-uefi'),
      vendorClass: fc.constantFrom('PXEClient', 'QEMU'),
      maker: fc.constantFrom('QEMU', 'Dell Inc.'),
      address: fc.constantFrom('10.1.2.3', '10.9.9.9', 'fd00::1'),
    },
    { requiredKeys: [] },
  )
  .map(machineFacts)
const selectors = fc
  .uniqueArray(
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.array(alternative, { minLength: 1, maxLength: 3 })),
    {
      selector: ([name]) => name,
      minLength: 1,
    },
  )
  .map((all) => all.map(([name, alternatives]) => selector(name, ...alternatives)))

describe('of any profiles and any machine', () => {
  test('the order of profiles and of alternatives never matters', () => {
    fc.assert(
      fc.property(facts, selectors, fc.infiniteStream(fc.nat()), (shown, all, numbers) => {
        const shuffle = <T>(list: readonly T[]): T[] =>
          list
            .map((each) => ({ each, at: numbers.next().value ?? 0 }))
            .sort((x, y) => x.at - y.at)
            .map(({ each }) => each)
        const other = shuffle(all).map((each) => ({ ...each, alternatives: shuffle(each.alternatives) }))
        const plain = (selected: Selected) =>
          selected.kind === 'profile'
            ? { profile: said(selected), waits: [...selected.waits].sort() }
            : { profile: said(selected) }
        expect(plain(selectProfile(shown, other))).toEqual(plain(selectProfile(shown, all)))
      }),
    )
  })

  test('a choice between two is the same from both sides, and adding the loser changes nothing', () => {
    fc.assert(
      fc.property(facts, selectors, (shown, all) => {
        const selected = selectProfile(shown, all)
        const alone = all.map((each) => selectProfile(shown, [each]).kind)
        expect(alone.every((kind) => kind === 'none')).toBe(selected.kind === 'none')
        if (selected.kind !== 'profile') return
        const winner = selected.selector
        for (const other of all.filter((each) => each !== winner))
          for (const two of [
            [winner, other],
            [other, winner],
          ])
            expect(said(selectProfile(shown, two))).toBe(winner.profile)
      }),
    )
  })

  test('profiles that tie, tie two by two, and no profile without them does better', () => {
    fc.assert(
      fc.property(facts, selectors, (shown, all) => {
        const selected = selectProfile(shown, all)
        if (selected.kind !== 'tie') return
        const tied = all.filter(({ profile }) => selected.profiles.includes(profile))
        expect(tied.length).toBeGreaterThan(1)
        for (const a of tied)
          for (const b of tied) if (a !== b) expect(selectProfile(shown, [a, b]).kind).toBe('tie')
      }),
    )
  })

  test('more keys are more particular, and the order of ranks is one', () => {
    fc.assert(
      fc.property(alternative, alternative, alternative, (a, b, c) => {
        const union = { ...a, ...b, ...a }
        expect(compareRanks(union, a) >= 0).toBe(true)
        if (Object.keys(union).length > Object.keys(a).length) expect(compareRanks(union, a) > 0).toBe(true)
        expect(Math.sign(compareRanks(a, b))).toBe(0 - Math.sign(compareRanks(b, a)))
        if (compareRanks(a, b) >= 0 && compareRanks(b, c) >= 0)
          expect(compareRanks(a, c)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  test('what is shown later takes a choice away only where it was said to wait', () => {
    fc.assert(
      fc.property(facts, facts, selectors, (early, late, all) => {
        const before = selectProfile(early, all)
        const macs = early.macs.length > 0 ? early.macs : late.macs
        const after = selectProfile({ ...late, ...early, macs }, all)
        if (before.kind === 'profile' && before.waits.size === 0) expect(said(after)).toBe(said(before))
      }),
    )
  })
})

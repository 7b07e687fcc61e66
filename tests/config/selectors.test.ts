import { describe, expect, test } from 'vitest'
import { parse, refusal } from '../support/config.ts'

const ofProfile = (keys: string) => `profiles:\n  lab: { ${keys} }\n`
const selector = (keys: string) => parse(ofProfile(keys)).profiles.get('lab')?.selector
const warnings = (keys: string) =>
  parse(ofProfile(keys)).problems.map(({ severity, where, message }) => `${severity} ${where} ${message}`)

describe('match', () => {
  test('is canonical, and one mapping alone is a list of one', () => {
    const keys = [
      'uuid: 4C4C4544004235108052B4C04F4A3732',
      'serial: " ABC1 "',
      'mac-prefix: 52-54-0F-A',
      'subnet: 10.1.0.0/16',
      'vendor: Dell Inc',
      'arch: amd64',
    ]
    expect(selector(`match: { ${keys.join(', ')} }`)).toEqual({
      auto: 'menu',
      alternatives: [
        {
          uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732',
          serial: 'abc1',
          macPrefix: '52540fa',
          subnet: '10.1.0.0/16',
          vendor: 'dell inc',
          arch: 'x86_64',
        },
      ],
    })
    expect(selector('match: [{ arch: arm64 }, { serial: 12 }], auto: local')).toEqual({
      auto: 'local',
      alternatives: [{ arch: 'aarch64' }, { serial: '12' }],
    })
  })

  test.each(['52', '52:54', '525400', '52:54:00:', '70:b3:d5:12:3', '52:54:00:aa:bb:01'])(
    'takes %s as the beginning of a MAC',
    (text) => {
      expect(selector(`match: { mac-prefix: "${text}" }`)?.alternatives).toEqual([
        { macPrefix: text.replaceAll(':', '') },
      ])
    },
  )

  test.each([
    ['no key', 'match: {}'],
    ['a key that is none', 'match: { mac: 52:54:00 }'],
    ['one digit', 'match: { mac-prefix: "5" }'],
    ['octets of one digit', 'match: { mac-prefix: "5:4:0" }'],
    ['more than a MAC', 'match: { mac-prefix: "52:54:00:aa:bb:01:02" }'],
    ['two separators', 'match: { mac-prefix: "52:54-00" }'],
    ['a network that is none', 'match: { subnet: 10.0.0.0/33 }'],
    ['an architecture that no firmware tells', 'match: { arch: s390x }'],
    ['a serial number with a control character', 'match: { serial: "\\0" }'],
    ['a blank vendor, which all have', 'match: { vendor: " " }'],
    ['another action', 'match: { arch: x86_64 }, auto: install'],
  ])('refuses %s', (_, keys) => {
    expect(refusal(ofProfile(keys))).toMatch(/^config\.yaml:2:\d+ profiles\.lab\.(match|auto)/m)
  })

  test('in a guest is no key', () => {
    expect(refusal('guests:\n  web01: { match: { arch: x86_64 } }\n')).toContain('unknown key')
  })

  test('is not inherited', () => {
    const text = 'profiles:\n  base: { match: { arch: x86_64 } }\n  heir: { inherits: base }\n'
    expect(parse(text).profiles.get('heir')?.selector).toBeUndefined()
  })
})

describe('a warning says what selects nothing', () => {
  test('placeholders that many machines share', () => {
    const keys = 'match: [{ serial: Default string }, { uuid: 00000000-0000-0000-0000-000000000000 }]'
    expect(warnings(keys)).toEqual([
      expect.stringMatching(/^warning config\.yaml:2:\d+ profiles\.lab\.match\[0\]\.serial: /),
      expect.stringMatching(/^warning config\.yaml:2:\d+ profiles\.lab\.match\[1\]\.uuid: /),
    ])
  })

  test('auto without match', () => {
    expect(warnings('auto: local')).toEqual([expect.stringContaining('profiles.lab.auto: it does nothing')])
    expect(selector('auto: local')).toBeUndefined()
  })
})

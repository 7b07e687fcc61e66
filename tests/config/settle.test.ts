import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfigTexts } from '../../server/config/load.ts'
import { problemLine } from '../../server/config/problems.ts'
import { type ConfigTexts, readConfigTexts } from '../../server/config/texts.ts'
import { stating } from '../support/stating.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** What a wrong definition file does to itself and to others, with real files, before and after a change. */

const mac = (n: number) => `52:54:00:aa:bb:${String(n).padStart(2, '0')}`

type Files = Readonly<Record<string, string | null>>

/** Writes files, or removes those that are null, and loads what is there on top of what was in force. */
async function changed(cwd: string, files: Files, lastGood?: ConfigTexts) {
  for (const [name, text] of Object.entries(files)) {
    writeBelow(cwd, name, text ?? '')
    if (text === null) rmSync(join(cwd, name))
  }
  const texts = await readConfigTexts({ cwd })
  const inForce = await loadConfigTexts(texts, async () => lastGood)
  const { guests, problems, config, filesNotInForce } = inForce.loaded
  return {
    texts: inForce.texts,
    filesNotInForce,
    mirrors: config.mirrors.map(({ id, urls }) => `${id} ${urls[0]}`),
    /** `web1 52:... quiet text`, or `web1 52:... REFUSED why`. */
    guests: guests.map(({ name, macs, settings, refused }) =>
      [
        name,
        ...macs,
        ...settings.args.map(({ value }) => value),
        ...(refused ? [`REFUSED ${refused}`] : []),
      ].join(' '),
    ),
    errors: problems.filter(({ severity }) => severity === 'error').map(problemLine),
  }
}

/** The same after a good state. */
async function changedFrom(before: Files, after: Files) {
  const cwd = temporaryFolder()
  const good = await changed(cwd, { 'config.yaml': '', ...before })
  expect(good.errors).toEqual([])
  return { ...(await changed(cwd, after, good.texts)), cwd, good }
}

const wrongTexts: [string, string, string[]][] = [
  ['is not YAML', 'mac: [1\n', ['guests.d/a.yaml:']],
  [
    'has an unknown key',
    `mac: ${mac(9)}\nprofil: p\n`,
    ['guests.d/a.yaml:2:1', 'guests.a.profil', "'profile'"],
  ],
  ['is no mapping', 'web\n', ['guests.d/a.yaml:1:1', "'web'"]],
  [
    'has the MAC of another guest',
    `mac: ${mac(2)}\n`,
    ['guests.d/a.yaml:1:6', mac(2), 'guest b', 'guests.d/b.yaml:1'],
  ],
  [
    'has the MAC of a guest of config.yaml',
    `mac: ${mac(7)}\n`,
    ['guests.d/a.yaml:1:6', 'guest main', 'config.yaml:1'],
  ],
  ['names an unknown profile', `mac: ${mac(9)}\nprofile: q\n`, ['guests.d/a.yaml:2:10', "'q'"]],
  ['has a wrong identity', 'mac: 52:54\n', ['guests.d/a.yaml:1:6', "'52:54'"]],
  [
    'has an impossible machine',
    `mac: ${mac(9)}\nvirt: { type: pv, hypervisor: kvm }\n`,
    ['guests.d/a.yaml:2:', 'xen'],
  ],
]
const main = `guests: { main: { mac: "${mac(7)}" } }\n`

describe.each(wrongTexts)('a guest file that %s', (_, text, facts) => {
  const others = { 'config.yaml': main, 'guests.d/b.yaml': `mac: ${mac(2)}\n` }

  test('keeps its last good definition, and the others go on', async () => {
    const before = { ...others, 'guests.d/a.yaml': `mac: ${mac(1)}\nargs: good\n` }
    const found = await changedFrom(before, {
      'guests.d/a.yaml': text,
      'guests.d/c.yaml': `mac: ${mac(3)}\n`,
    })
    expect(found.guests).toEqual([`main ${mac(7)}`, `a ${mac(1)} good`, `b ${mac(2)}`, `c ${mac(3)}`])
    expect(found.errors.join('\n')).toMatch(stating('guests.d/a.yaml', 'guest a', 'last good'))
    expect(found.errors[1]).toMatch(stating(...facts))
    expect(found.filesNotInForce).toBe(1)
    // The last good text is in force, so it is what a record keeps, and the next load has the same result.
    const again = await changed(found.cwd, {}, found.texts)
    expect([again.guests, again.errors]).toEqual([found.guests, found.errors])
    const mended = await changed(found.cwd, { 'guests.d/a.yaml': `mac: ${mac(8)}\n` }, again.texts)
    expect([mended.guests[1], mended.errors, mended.filesNotInForce]).toEqual([`a ${mac(8)}`, [], 0])
  })

  test('and is new is no guest that could be installed', async () => {
    const found = await changedFrom(others, {
      'guests.d/a.yaml': text,
      'guests.d/c.yaml': `mac: ${mac(3)}\n`,
    })
    const [first, ...rest] = found.guests.filter((line) => !line.startsWith('a '))
    expect([first, ...rest]).toEqual([`main ${mac(7)}`, `b ${mac(2)}`, `c ${mac(3)}`])
    const own = found.guests.filter((line) => line.startsWith('a '))
    // The identity of another guest is left to that one.
    const shown = text.includes(mac(9)) ? [`a ${mac(9)} REFUSED`] : []
    if (text.includes(mac(2)) || text.includes(mac(7))) shown.push('a REFUSED')
    expect(own.map((line) => line.replace(/REFUSED.*/, 'REFUSED'))).toEqual(shown)
    for (const line of own) expect(line).toMatch(stating(...facts))
    expect(found.errors[1]).toMatch(stating(...facts))
    expect(found.texts.files.map(({ name }) => name)).toEqual(['b', 'c'])
  })
})

describe('of files that contradict each other', () => {
  const a = (n: number) => ({ 'guests.d/a.yaml': `mac: ${mac(n)}\n` })
  const b = (n: number) => ({ 'guests.d/b.yaml': `mac: ${mac(n)}\n` })

  test.each([
    ['the first', { ...a(2) }, 'guests.d/a.yaml:1:6'],
    ['the second', { ...b(1) }, 'guests.d/b.yaml:1:6'],
  ])('the one that changed is harmed: %s', async (_, change, where) => {
    const found = await changedFrom({ ...a(1), ...b(2) }, change)
    expect(found.guests).toEqual([`a ${mac(1)}`, `b ${mac(2)}`])
    expect(found.errors[1]).toContain(where)
    expect(found.errors).toHaveLength(2)
  })

  test('both that changed are harmed', async () => {
    const found = await changedFrom({ ...a(1), ...b(2) }, { ...a(3), ...b(3) })
    expect(found.guests).toEqual([`a ${mac(1)}`, `b ${mac(2)}`])
    expect(found.filesNotInForce).toBe(2)
  })

  test('two new ones are refused, and neither installs that machine', async () => {
    const found = await changedFrom({}, { ...a(3), ...b(3) })
    expect(found.guests.map((line) => line.replace(/REFUSED.*/, 'REFUSED'))).toEqual([
      `a ${mac(3)} REFUSED`,
      `b ${mac(3)} REFUSED`,
    ])
  })

  test('two that swap their MACs are right', async () => {
    const found = await changedFrom({ ...a(1), ...b(2) }, { ...a(2), ...b(1) })
    expect([found.guests, found.errors]).toEqual([[`a ${mac(2)}`, `b ${mac(1)}`], []])
  })

  test('a swap of which one half is wrong does not come into force by halves', async () => {
    const found = await changedFrom(
      { ...a(1), ...b(2) },
      { 'guests.d/a.yaml': `mac: ${mac(2)}\nx: 1\n`, ...b(1) },
    )
    expect(found.guests).toEqual([`a ${mac(1)}`, `b ${mac(2)}`])
  })

  test('a second file of one guest does not count, whichever name it has', async () => {
    const found = await changedFrom(
      { 'guests.d/w.yml': `mac: ${mac(1)}\n` },
      { 'guests.d/w.yaml': `mac: ${mac(2)}\n` },
    )
    expect(found.guests).toEqual([`w ${mac(1)}`])
    expect(found.errors[1]).toMatch(stating('guests.d/w.yaml:1:1', 'guests.d/w.yml'))
  })

  test('a long chain of guests that each take the MAC of the next comes to an end', async () => {
    const chain = (shift: number, last = '') =>
      Object.fromEntries(
        Array.from({ length: 99 }, (_, i) => [
          `guests.d/g${String(i).padStart(2, '0')}.yaml`,
          i === 98 && last ? last : `mac: ${mac(i + shift)}\n`,
        ]),
      )
    const found = await changedFrom(chain(0), chain(1, 'mac: wrong\n'))
    expect(found.guests).toEqual(
      Array.from({ length: 99 }, (_, i) => `g${String(i).padStart(2, '0')} ${mac(i)}`),
    )
  })

  test('an address of two networks harms the guest that changed', async () => {
    const withAddress = (n: number, address: string) => `mac: ${mac(n)}\nnetwork: { address: ${address} }\n`
    const found = await changedFrom(
      { 'guests.d/a.yaml': withAddress(1, '10.0.0.1/24'), 'guests.d/b.yaml': withAddress(2, '10.0.0.2/24') },
      { 'guests.d/a.yaml': withAddress(1, '10.0.0.2/24') },
    )
    expect([found.filesNotInForce, found.errors.length]).toEqual([1, 2])
    expect(found.errors[1]).toMatch(stating('guests.d/a.yaml:2:', '10.0.0.2', 'guest b'))
  })
})

describe('a profile file that is wrong', () => {
  const guests = {
    'guests.d/a.yaml': `mac: ${mac(1)}\nprofile: heir\n`,
    'guests.d/b.yaml': `mac: ${mac(2)}\n`,
    'profiles.d/heir.yaml': 'inherits: p\nargs: heir\n',
  }

  test.each([
    ['is not YAML', 'args: [\n'],
    ['has an unknown key', 'arg: x\n'],
    ['inherits in a circle', 'inherits: heir\n'],
  ])('keeps its last good text for its guests, and new ones wait: %s', async (_, text) => {
    const found = await changedFrom(
      { ...guests, 'profiles.d/p.yaml': 'args: good\n' },
      { 'profiles.d/p.yaml': text, 'guests.d/c.yaml': `mac: ${mac(3)}\nprofile: p\n` },
    )
    const old = [`a ${mac(1)} good heir`, `b ${mac(2)}`]
    const waits = expect.stringMatching(stating(`c ${mac(3)} REFUSED`, 'profile p', 'profiles.d/p.yaml'))
    expect(found.guests).toEqual([...old, waits])
    expect(found.errors[0]).toMatch(stating('profiles.d/p.yaml', 'profile p', 'last good'))
    expect(found.filesNotInForce).toBe(2)
    // Whatever else changes, and after a start, too.
    const later = { 'guests.d/d.yaml': `mac: ${mac(4)}\nprofile: heir\n`, 'guests.d/e.yaml': '' }
    const again = await changed(found.cwd, later, found.texts)
    const alsoWaits = expect.stringMatching(stating(`d ${mac(4)} REFUSED`, 'profiles.d/p.yaml'))
    expect(again.guests).toEqual([...old, waits, alsoWaits, 'e'])
    const mended = await changed(found.cwd, { 'profiles.d/p.yaml': 'args: new\n' }, again.texts)
    expect(mended.guests).toEqual([
      `a ${mac(1)} new heir`,
      `b ${mac(2)}`,
      `c ${mac(3)} new`,
      `d ${mac(4)} new heir`,
      'e',
    ])
    expect(mended.errors).toEqual([])
  })

  test('keeps a guest that changed with it as it was, and lets one go that leaves it', async () => {
    const found = await changedFrom(
      { ...guests, 'profiles.d/p.yaml': 'args: good\n' },
      {
        'profiles.d/p.yaml': 'arg: x\n',
        'guests.d/a.yaml': `mac: ${mac(1)}\nprofile: heir\nargs: new\n`,
        'guests.d/b.yaml': `mac: ${mac(2)}\nargs: new\n`,
      },
    )
    expect(found.guests).toEqual([`a ${mac(1)} good heir`, `b ${mac(2)} new`])
    expect(found.errors.join('\n')).toMatch(stating('guests.d/a.yaml', 'guest a', 'last good'))
    const left = await changed(found.cwd, { 'guests.d/a.yaml': `mac: ${mac(1)}\nargs: left\n` }, found.texts)
    expect(left.guests).toEqual([`a ${mac(1)} left`, `b ${mac(2)} new`])
    const mended = await changed(found.cwd, { 'profiles.d/p.yaml': 'args: more\n' }, left.texts)
    expect([mended.guests, mended.errors]).toEqual([left.guests, []])
  })

  test('and is new makes its guests refused, those of config.yaml and of its heirs too', async () => {
    const config = `guests: { main: { mac: "${mac(7)}", profile: p } }\n`
    const found = await changedFrom({}, { ...guests, 'config.yaml': config, 'profiles.d/p.yaml': 'arg: x\n' })
    expect(found.guests.map((line) => line.replace(/(.*REFUSED) .*/, '$1'))).toEqual([
      `main ${mac(7)} REFUSED`,
      `a ${mac(1)} heir REFUSED`,
      `b ${mac(2)}`,
    ])
    expect(found.guests[0]).toMatch(stating('profile p', 'profiles.d/p.yaml:1:1', 'profiles.p.arg'))
    expect(found.errors).toHaveLength(2)
  })

  test('for one guest that did not change is told at the profile, and stays as it was', async () => {
    const found = await changedFrom(
      {
        'profiles.d/p.yaml': 'virt: { hypervisor: xen }\n',
        'guests.d/a.yaml': 'profile: p\nvirt: { type: pv }\n',
      },
      { 'profiles.d/p.yaml': 'virt: { hypervisor: kvm }\n' },
    )
    expect(found.errors.map((line) => line.split(' ')[0])).toEqual([
      'profiles.d/p.yaml',
      'guests.d/a.yaml:2:1',
    ])
    expect(found.guests).toEqual(['a'])
  })

  test('that is gone stays for guests that have it still, and goes with them', async () => {
    const found = await changedFrom(
      { ...guests, 'profiles.d/p.yaml': 'args: good\n' },
      { 'profiles.d/p.yaml': null },
    )
    expect(found.guests[0]).toBe(`a ${mac(1)} good heir`)
    expect(found.errors[0]).toMatch(
      stating('profiles.d/p.yaml', 'profile p', 'no file any more', 'last good'),
    )
    const again = await changed(found.cwd, {}, found.texts)
    expect(again.guests).toEqual(found.guests)
    const without = await changed(found.cwd, { 'profiles.d/heir.yaml': 'args: heir\n' }, again.texts)
    expect([without.guests[0], without.errors]).toEqual([`a ${mac(1)} heir`, []])
    expect(without.texts.files.map(({ name }) => name)).toEqual(['heir', 'a', 'b'])
  })
})

describe('a mirror file that is wrong', () => {
  test('keeps its last good text, and without one there is no such mirror', async () => {
    const found = await changedFrom(
      { 'mirrors.d/f/41.yaml': 'url: http://a.example/41/\n' },
      { 'mirrors.d/f/41.yaml': 'url: nowhere\n', 'mirrors.d/f/42.yaml': 'ulr: http://a.example/42/\n' },
    )
    expect(found.mirrors).toEqual(['f/41 http://a.example/41/'])
    expect(found.filesNotInForce).toBe(2)
    expect(found.errors.join('\n')).toMatch(
      stating('mirrors.d/f/41.yaml', 'mirror f/41', 'last good text stays'),
    )
    expect(found.errors.join('\n')).toMatch(stating('mirrors.d/f/42.yaml', 'no such mirror'))
  })
})

describe('config.yaml', () => {
  const profiles = 'profiles: { p: { args: good } }\n'
  const guests = { 'config.yaml': profiles, 'guests.d/a.yaml': `mac: ${mac(1)}\nprofile: p\n` }

  test('that is wrong is refused as a whole, with the mistakes of all files', async () => {
    const error = await changedFrom(guests, {
      'config.yaml': `${profiles}x: 1\n`,
      'guests.d/b.yaml': 'x: 1\n',
    }).then(
      () => 'taken',
      (refusal: Error) => refusal.message,
    )
    expect(error).toMatch(stating('config.yaml:2:1'))
    expect(error).toMatch(stating('guests.d/b.yaml:1:1'))
  })

  test.each([
    [
      'takes away a profile of a file that did not change',
      'profiles: { q: {} }\n',
      ["'p'", 'does not exist'],
    ],
    [
      'takes the MAC of a file that did not change',
      `${profiles}guests: { m: { mac: "${mac(1)}" } }\n`,
      ['guests.m.mac'],
    ],
  ])('that %s is wrong', async (_, config, facts) => {
    await expect(changedFrom(guests, { 'config.yaml': config })).rejects.toThrow(stating(...facts))
  })

  test('that no longer fits the last good text of a wrong file is right, and that file is refused', async () => {
    const found = await changedFrom(guests, {
      'config.yaml': 'profiles: { q: {} }\n',
      'guests.d/a.yaml': `mac: ${mac(1)}\nprofil: q\n`,
    })
    expect(found.guests).toEqual([expect.stringMatching(stating('a', mac(1), 'REFUSED', 'guests.a.profil'))])
  })

  test('is right beside files of which no last good text is known', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'config.yaml'), profiles)
    const found = await changed(cwd, { 'guests.d/a.yaml': 'x: 1\n', 'guests.d/b.yaml': 'profile: p\n' })
    expect(found.guests).toEqual(['b good'])
  })
})

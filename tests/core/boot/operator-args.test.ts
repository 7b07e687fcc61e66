import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../../server/core/boot/explain.ts'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import { notesOf } from '../../../server/core/lookup/result.ts'
import { fedora40, makeGuest, makeInputs, urls } from '../../support/boot-inputs.ts'

/** The part of the command line behind the place to install from, and what is said of it. */
function planned(...written: (string | { value: string; from: string })[]) {
  const args = written.map((arg) => (typeof arg === 'string' ? { value: arg, from: 'guest a' } : arg))
  const plan = planTree(fedora40, { urls, virt: 'hvm', guest: makeGuest('a', { tree: fedora40, args }) })
  if (plan.kind !== 'install') throw new Error(plan.why)
  const cmdline = formatCmdline(plan.args).replace(/^inst\.repo=http:\S+ /, '')
  return { cmdline, doubts: plan.doubts.map(({ why }) => why), notes: notesOf(plan) }
}

const still = 'ip=10.0.0.7::10.0.0.1:255.255.255.0:h::none'
const six = 'ip=[2001:db8::7]::[2001:db8::1]:64:h:eth0:none'

describe('two arguments of one origin', () => {
  // The first three end in `die` of dracut's parse-ip-opts.sh.
  test.each([
    ['one device, and none', ['ip=dhcp', 'ip=eth0:dhcp'], 'ip=eth0:dhcp'],
    ['none, and one device', ['ip=eth0:dhcp', 'ip=dhcp'], 'ip=dhcp'],
    ['one device in two ways', ['ip=eth0:dhcp', 'ip=10.0.0.7::::h:eth0:none'], 'ip=10.0.0.7::::h:eth0:none'],
    ['a static address without a device', ['ip=eth0:dhcp', still], still],
    ['three', ['ip=dhcp', 'ip=eth0:dhcp', still], still],
    ['in one text', ['ip=dhcp ip=eth0:dhcp'], 'ip=eth0:dhcp'],
  ])('`ip=` for %s: the last one stays, and it is said', (_, args, expected) => {
    const { cmdline, doubts, notes } = planned(...args)
    expect(cmdline).toBe(expected)
    expect(doubts[0]).toMatch(/^guest a: ip=\S+ and ip=\S+ contradict each other/)
    expect(notes).toEqual(doubts)
  })

  test('`ip=` of two families for one device: both stay, and what may end there is named', () => {
    const { cmdline, doubts } = planned('ip=eth0:dhcp', six)
    expect(cmdline).toBe(`ip=eth0:dhcp ${six}`)
    expect(doubts).toEqual([expect.stringMatching(/NetworkManager takes both.*network scripts/)])
  })

  test.each([
    ['inst.ks', 'inst.ks=http://a/?token=secret', 'inst.ks=http://b/'],
    ['inst.repo', 'inst.repo=http://a/', 'inst.repo=http://b/'],
    ['inst.lang', 'inst.lang=de_DE', 'inst.lang=fr_FR'],
    ['url', 'url=http://a/', 'url=http://b/'],
    ['hostname', 'hostname=a', 'hostname=b'],
    ['netcfg/get_hostname', 'netcfg/get_hostname=a', 'netcfg/get_hostname=b'],
    ['autoyast', 'autoyast=http://a/', 'autoyast=http://b/'],
    ['ignition.config.url', 'ignition.config.url=http://a/', 'ignition.config.url=http://b/'],
  ])('that are read once, %s: the last one stays, and its key alone is told', (key, first, second) => {
    const { cmdline, doubts } = planned(first, second)
    expect(cmdline).toContain(second)
    expect(cmdline).not.toContain(first)
    expect(doubts).toEqual([
      expect.stringMatching(new RegExp(`^guest a: ${key} stands there more than once`)),
    ])
    expect(doubts.join()).not.toContain('secret')
  })

  test.each([
    ['devices', ['ip=eth0:dhcp', 'ip=eth1:dhcp'], 'ip=eth0:dhcp ip=eth1:dhcp'],
    ['the same twice', ['ip=eth0:dhcp', 'ip=eth0:dhcp'], 'ip=eth0:dhcp'],
    ['ibft', ['ip=ibft', 'ip=eth0:dhcp'], 'ip=ibft ip=eth0:dhcp'],
    ['consoles', ['console=tty0', 'console=ttyS0'], 'ip=dhcp console=tty0 console=ttyS0'],
    ['what nobody here knows', ['x.y=1', 'x.y=2'], 'ip=dhcp x.y=1 x.y=2'],
    ['all kickstarts', ['inst.ks=a inst.ks=b', 'inst.ks.all'], 'ip=dhcp inst.ks=a inst.ks=b inst.ks.all'],
    ['separators', ['hostname=a --- hostname=b'], 'ip=dhcp hostname=a --- hostname=b'],
  ])('that do not contradict each other, %s: both stay, and nothing is said', (_, args, expected) => {
    expect(planned(...args)).toEqual({ cmdline: expected, doubts: [], notes: [] })
  })
})

test('a nearer place overrules both arguments of a contradiction, which is no doubt then', () => {
  const base = (value: string) => ({ value, from: 'profile base' })
  expect(planned(base('ip=dhcp'), base('ip=eth0:dhcp'), still)).toEqual({
    cmdline: still,
    doubts: [],
    notes: [],
  })
})

test('explain shows what was left out, by what, and the warning', () => {
  const guest = makeGuest('a', { tree: fedora40, args: ['ip=dhcp', 'ip=eth0:dhcp'] })
  const lines = explainBoot({ name: 'a' }, makeInputs([fedora40], [guest]))
  const from = 'guest a (config.yaml:21)'
  expect(lines).toContainEqual({
    what: 'dropped argument',
    value: 'ip=dhcp',
    from: `${from}, overruled by ${from}`,
  })
  expect(lines).toContainEqual({
    what: 'warning',
    value: 'arguments',
    from: expect.stringContaining('contradict'),
  })
})

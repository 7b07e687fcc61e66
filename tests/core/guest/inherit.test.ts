import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Settings } from '../../../server/core/guest/guest.ts'
import {
  inheritanceCycles,
  inheritanceOrder,
  type OwnSettings,
  resolveSettings,
} from '../../../server/core/guest/inherit.ts'

const say = <T>(value: T, from = 'here') => ({ value, from })
const layer = (own: Partial<OwnSettings>): OwnSettings => ({ args: [], vars: {}, virt: {}, ...own })
const args = (...values: string[]) => layer({ args: values.map((value) => say(value)) })
const argsOf = (settings: Settings) => settings.args.map(({ value }) => value)

describe('arguments', () => {
  test.each<[string, string[][], string[], string[]]>([
    ['add up from the root down', [['a'], ['b', 'c'], ['d']], ['a', 'b', 'c', 'd'], []],
    [
      'with the same key are all kept',
      [['console=tty0'], ['console=ttyS0']],
      ['console=tty0', 'console=ttyS0'],
      [],
    ],
    ['are removed by key', [['console=tty0', 'quiet', 'console=ttyS0'], ['-console']], ['quiet'], []],
    ['are removed one by one', [['console=tty0', 'console=ttyS0'], ['-console=tty0']], ['console=ttyS0'], []],
    ['are not removed by half a key', [['console=tty0'], ['-con']], ['console=tty0'], ['-con']],
    ['come back after a removal', [['quiet'], ['-quiet'], ['quiet']], ['quiet'], []],
    [
      '--- and -- of debian-installer are not removals',
      [['quiet'], ['---', '--', '-']],
      ['quiet', '---', '--', '-'],
      [],
    ],
  ])('%s', (_, layers, expected, idle) => {
    const resolution = resolveSettings(layers.map((values) => args(...values)))
    expect(argsOf(resolution.settings)).toEqual(expected)
    expect(resolution.idleRemovals.map(({ value }) => value)).toEqual(idle)
  })
})

test('the nearest value wins, vars and virt key by key, and each keeps its origin', () => {
  const { settings } = resolveSettings([
    layer({
      tree: say({ distro: 'fedora', arch: 'x86_64' }, 'root'),
      vars: { kept: say(1, 'root'), deep: say({ a: 1, b: 2 }, 'root') },
      virt: { memory: say(1024, 'root'), disk: say(9, 'root') },
      retry: say(true, 'root'),
      loader: say('grub', 'root'),
      loaderFrom: say('host', 'root'),
    }),
    layer({
      tree: say({ version: '41' }, 'guest'),
      vars: { deep: say({ b: 3 }, 'guest') },
      virt: { memory: say(4096, 'guest') },
      retry: say(false, 'guest'),
    }),
  ])
  expect(settings.tree).toEqual(say({ version: '41' }, 'guest'))
  expect(settings.vars).toEqual({ kept: say(1, 'root'), deep: say({ b: 3 }, 'guest') })
  expect([settings.virt.memory, settings.virt.disk]).toEqual([say(4096, 'guest'), say(9, 'root')])
  expect(settings.virt.vcpus.from).toBe('default')
  expect(settings.retry).toEqual(say(false, 'guest'))
  expect(settings.loader).toEqual(say('grub', 'root'))
  expect(settings.loaderFrom).toEqual(say('host', 'root'))
})

describe('the order of profiles', () => {
  const diamond = new Map([
    ['root', []],
    ['left', ['root']],
    ['right', ['root']],
    ['both', ['left', 'right']],
  ])

  test('begins at the root and has each profile once', () => {
    expect(inheritanceOrder(['both'], diamond)).toEqual(['root', 'left', 'right', 'both'])
    expect(inheritanceOrder(['both', 'root'], diamond)).toEqual(['root', 'left', 'right', 'both'])
    expect(inheritanceCycles(diamond)).toEqual([])
  })

  test('leaves out unknown profiles', () => {
    expect(inheritanceOrder(['left', 'constructor'], diamond)).toEqual(['root', 'left'])
  })

  test('names every cycle', () => {
    const parents = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
      ['self', ['self']],
    ])
    expect(inheritanceCycles(parents)).toEqual([
      ['b', 'c', 'b'],
      ['self', 'self'],
    ])
    expect(inheritanceOrder(['a'], parents)).toEqual(['c', 'b', 'a'])
  })

  test('handles a chain of 50,000 profiles', () => {
    const chain = new Map(Array.from({ length: 50_000 }, (_, i) => [`p${i}`, i === 0 ? [] : [`p${i - 1}`]]))
    expect(inheritanceOrder(['p49999'], chain)).toHaveLength(50_000)
  })

  test('has every parent before its children, in any graph', () => {
    const graph = fc.array(fc.array(fc.nat(9), { maxLength: 3 }), { minLength: 10, maxLength: 10 })
    fc.assert(
      fc.property(graph, (edges) => {
        // Parents have smaller numbers, so that there are no cycles.
        const parents = new Map(edges.map((to, i) => [`${i}`, to.filter((n) => n < i).map(String)]))
        const order = inheritanceOrder([...parents.keys()], parents)
        expect([...order].sort()).toEqual([...parents.keys()].sort())
        for (const [name, above] of parents)
          for (const parent of above) expect(order.indexOf(parent)).toBeLessThan(order.indexOf(name))
        expect(inheritanceCycles(parents)).toEqual([])
      }),
    )
  })
})

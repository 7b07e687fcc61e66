import { expect, onTestFinished, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { Guest } from '../../server/core/guest/guest.ts'
import { createTreeIndex } from '../../server/core/select/select.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { Answers } from '../../server/namespace/answers.ts'
import { GuestChecks } from '../../server/namespace/guest-checks.ts'
import { type RenderJob, TemplateRenderer } from '../../server/templates/renderer.ts'
import { guestWith, snapshotWith, treeWith, urls } from '../support/answers.ts'
import { makeGuest, makeInputs } from '../support/boot-inputs.ts'
import { parse } from '../support/config.ts'
import { eventually } from '../support/eventually.ts'
import { sharedRenderer } from '../support/renderer.ts'

/** Which guests were rendered in each look, and what is known afterwards. */
function watched() {
  const rendered: string[] = []
  let tree: Tree = treeWith({})
  let token = 'first'
  const renderer = {
    render: (job: RenderJob) => {
      rendered.push((job.context.guest as { name: string }).name)
      return sharedRenderer.render(job)
    },
  } as TemplateRenderer
  const answers = new Answers({ renderer, facts: () => ({ tree, urls, token }) })
  const inputs = () => ({ ...makeInputs([tree], []), trees: createTreeIndex([tree]) })
  const checks = new GuestChecks({ answers, inputs })
  const { config } = parse('')
  return {
    checks,
    setTree: (next: Tree) => {
      tree = next
    },
    setToken: (next: string) => {
      token = next
    },
    async look(guests: readonly Guest[], templates: ReadonlyMap<string, string>) {
      rendered.length = 0
      const snapshot: Snapshot = { ...snapshotWith(guests, templates), config }
      checks.look(snapshot)
      await checks.settled()
      return rendered.toSorted()
    },
  }
}

const texts = {
  'a.ks': '{{ guest.name }} {{ needed }}\n',
  'b.ks': "{% include 'part.ks' %}\n",
  'c.ks': "{% set which = 'part.ks' %}{% include which %}\n",
  'part.ks': 'part of {{ tree.version }}\n',
}
const templates = new Map(Object.entries(texts))
const changed = (name: keyof typeof texts, text: string) => new Map([...templates, [name, text]])
const named = (name: string, template: string, vars = {}): Guest => guestWith(template, vars, { name })
const guests = [
  named('one', 'a.ks', { needed: 1 }),
  named('two', 'a.ks'),
  named('three', 'b.ks'),
  named('four', 'c.ks'),
]
const moved = (guest: Guest): Guest => ({ ...guest, definedAt: 'config.yaml:99' })

test('a change costs the renderings that it concerns, and no other', async () => {
  const { look, checks, setToken, setTree } = watched()
  expect(await look(guests, templates)).toEqual(['four', 'one', 'three', 'two'])
  expect(checks.whyNot('two')).toMatch(/^its answer file cannot be made: a\.ks:1: .*needed/)
  expect(['one', 'three', 'four'].map((name) => checks.whyNot(name))).toEqual([
    undefined,
    undefined,
    undefined,
  ])

  expect(await look(guests.map(moved), new Map(templates))).toEqual([])
  expect(checks.problems()).toMatchObject([
    { where: 'config.yaml:99', message: expect.stringContaining('two') },
  ])
  setToken('second')
  expect(await look(guests, templates)).toEqual([])
  expect(await look([...guests, named('five', 'a.ks')], templates)).toEqual(['five'])
  expect(checks.problems()).toMatchObject([{ message: expect.stringContaining('guest two and 1 more') }])
  expect(await look([named('one', 'a.ks', { needed: 2 }), ...guests.slice(1)], templates)).toEqual(['one'])
  // What `which` names only the engine knows, so `four` is rendered whenever any template changes.
  expect(await look(guests, changed('part.ks', 'new {{ tree.version }}'))).toEqual(['four', 'one', 'three'])
  expect(await look(guests, changed('a.ks', 'fine'))).toEqual(['four', 'one', 'three', 'two'])
  expect(checks.problems()).toEqual([])
  setTree(treeWith({ version: '41' }))
  expect(await look(guests, changed('a.ks', 'fine'))).toEqual(['four', 'one', 'three', 'two'])
  expect(await look([], templates)).toEqual([])
  expect(checks.problems()).toEqual([])
})

test('of many snapshots at once the last is looked at', async () => {
  const { look, checks } = watched()
  const [first, second] = [look(guests, templates), look([named('last', 'a.ks')], templates)]
  await Promise.all([first, second])
  expect(checks.whyNot('two')).toBeUndefined()
  expect(checks.whyNot('last')).toContain('needed')
  await checks.stop()
})

/** Renders the first answer file with a template that does not end, as on a host that stands still. */
function stillOnce() {
  const own = new TemplateRenderer({ timeoutMs: 400, retryMs: 300 })
  onTestFinished(() => own.close())
  let calls = 0
  const renderer = {
    render: (job: RenderJob) => {
      const slow = calls++ === 0
      return own.render({ ...job, context: { ...job.context, slow } })
    },
  } as TemplateRenderer
  return { renderer, calls: () => calls }
}

test('a template that took too long is tried again after its pause, without a change', async () => {
  const { renderer, calls } = stillOnce()
  const tree = treeWith({})
  const answers = new Answers({ renderer, facts: () => ({ tree, urls }) })
  const inputs = () => ({ ...makeInputs([tree], []), trees: createTreeIndex([tree]) })
  const checks = new GuestChecks({ answers, inputs })
  onTestFinished(() => checks.stop())
  const hang = `{{ '${'a'.repeat(40)}!' | regex_search('^(a+)+$') }}`
  const slow = new Map([['slow.ks', `{% if slow %}${hang}{% else %}in time{% endif %}`]])
  const both = [named('one', 'slow.ks'), named('two', 'slow.ks')]
  checks.look({ ...snapshotWith(both, slow), config: parse('').config })
  await checks.settled()
  const told = /slow\.ks:1: .* did not end .*; tried again at \d\d:\d\d UTC, or when a template is changed/
  expect(checks.problems()).toMatchObject([{ message: expect.stringMatching(told) }])
  expect(checks.whyNot('two')).toMatch(told)
  expect(calls()).toBe(2)
  await eventually(() => expect(checks.problems()).toEqual([]))
  expect([checks.whyNot('one'), checks.whyNot('two')]).toEqual([undefined, undefined])
  expect(calls()).toBe(4)
})

test('a guest with two doubts is a problem for each', async () => {
  const tree = treeWith({
    distro: 'alpine',
    platforms: { x86_64: { kernel: 'boot/vmlinuz-lts', initrd: 'boot/initramfs-lts', others: {} } },
    sizes: { 'boot/modloop-lts': 3_000_000_000 },
  })
  const guest = makeGuest('one', { tree, template: 'b.ks', virt: { memory: 1024 } })
  const at = { http: 'http://[2001:db8::a]:8080', byIpv6: true } as const
  const answers = new Answers({ renderer: sharedRenderer, facts: () => ({ tree, urls: at, token: 't' }) })
  const inputs = () => ({ ...makeInputs([tree], []), trees: createTreeIndex([tree]), urls: at })
  const checks = new GuestChecks({ answers, inputs })
  checks.look({ ...snapshotWith([guest], templates), config: parse('').config })
  await checks.settled()
  expect(checks.problems()).toMatchObject([
    { severity: 'warning', message: expect.stringMatching(/^guest one: virt\.memory is/) },
    { severity: 'warning', message: expect.stringMatching(/^guest one: .*IPv4 address alone/) },
  ])
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { distros } from '../../server/core/distro/distro.ts'
import { recordOf } from '../../server/core/distro/families.ts'
import type { Guest, VarValue } from '../../server/core/guest/guest.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { ownFilterNames } from '../../server/templates/filters/table.ts'
import { lintTemplates } from '../../server/templates/lint.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerCases } from '../support/answer-cases.ts'
import {
  centos7,
  debian12,
  guestWith,
  leap15,
  leap16,
  rocky9,
  shippedTemplates,
  snapshotWith,
  treeWith,
  ubuntu2404,
  urls,
} from '../support/answers.ts'
import { expectGolden } from '../support/golden.ts'

const templates = shippedTemplates()
const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const project = join(import.meta.dirname, '../..')

/** The answer file that a guest gets from a tree. */
function rendered(guest: Guest, tree: Tree, texts: ReadonlyMap<string, string> = templates) {
  const snapshot = snapshotWith([guest], texts)
  const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts: () => ({ tree, urls }) }
  return renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
}

describe('the examples of the documents', () => {
  test('the template of docs/kickstarts.md renders', async () => {
    const document = readFileSync(join(project, 'docs/kickstarts.md'), 'utf8')
    // The code block belongs to a numbered list, so it is indented by three blanks.
    const source = /```jinja\n([\s\S]*?)```/.exec(document)?.[1]?.replaceAll(/^ {3}/gm, '') ?? ''
    const guest = guestWith('small.ks', { ssh_keys: ['ssh-ed25519 AAAA me@laptop'] })
    const more = new Map(templates).set('small.ks', source)
    const { text, warnings } = await rendered(guest, treeWith({}), more)
    expect(warnings).toEqual([])
    expect(text).toContain('sshkey --username=root "ssh-ed25519 AAAA me@laptop"')
  })

  test('the README of the templates names every filter of treeboot', () => {
    const document = readFileSync(join(project, 'kickstart-templates/README.md'), 'utf8')
    expect([...ownFilterNames].filter((name) => !document.includes(`\`${name}`))).toEqual([])
  })
})

describe('the templates that treeboot ships', () => {
  test.each(answerCases)('$golden', async ({ golden, guest, tree }) => {
    const answer = await rendered(guest, tree)
    expect(answer.warnings).toEqual([])
    expectGolden(`kickstart/${golden}`, answer.text)
  })

  test('refuse a passphrase that would pull in the next line of a preseed', async () => {
    const guest = guestWith('debian.preseed', { filesystem: 'crypto', crypto_passphrase: 'secret\\' })
    await expect(rendered(guest, debian12)).rejects.toThrow(/debian\.preseed:\d+: .*backslash/)
  })

  test.each<[template: string, tree: Tree, vars: Record<string, VarValue>, why: RegExp]>([
    [
      'fedora.ks',
      rocky9,
      { filesystem: 'btrfs' },
      /for Rocky Linux 9\.4 is 'btrfs', expected lvm, plain or thinp/,
    ],
    ['fedora.ks', rocky9, { partitions: ['btrfs none --label=x btrfs.01'] }, /partitions names btrfs/],
    ['fedora.ks', treeWith({ version: '19' }), { filesystem: 'thinp' }, /is 'thinp'/],
    ['fedora.ks', treeWith({ version: '17' }), {}, /from 18 on/],
    ['fedora.ks', { ...centos7, version: '6.10' }, {}, /from 7 on/],
    ['fedora.ks', rocky9, { selinux: 'off' }, /selinux is 'off'/],
    ['fedora.ks', rocky9, { after_install: 'eject' }, /after_install is 'eject'/],
    ['fedora.ks', rocky9, { bootproto: 'none' }, /bootproto is 'none'/],
    ['fedora.ks', rocky9, { bootproto: 'static' }, /ip, gateway and prefix make no static address/],
    ['debian.preseed', debian12, { filesystem: 'ext4' }, /expected regular, lvm or crypto/],
    [
      'ubuntu.user-data',
      { ...ubuntu2404, version: '22.04' },
      { filesystem: 'zfs' },
      /expected lvm or direct/,
    ],
    ['ubuntu.user-data', ubuntu2404, { disk: '/dev/sd*' }, /neither a link nor a pattern/],
    ['ubuntu.user-data', ubuntu2404, { disk: 'disk/by-id/ata-a' }, /neither a link nor a pattern/],
    ['suse.autoyast.xml', leap15, { filesystem: 'zfs' }, /filesystem is 'zfs'/],
    ['suse.autoyast.xml', leap16, {}, /take suse\.agama\.json/],
    ['suse.agama.json', leap15, {}, /take suse\.autoyast\.xml/],
    [
      'suse.agama.json',
      leap16,
      { proxy: 'http://me:secret@p:3128' },
      /: write args: \["proxy=http:\/\/\.\.\."\]/,
    ],
    ['debian.preseed', debian12, { users: [{ name: 'ann', sudo: 'always' }] }, /sudo of ann is 'always'/],
    ['fedora.ks', rocky9, { users: [{ name: 'a n', sudo: true }] }, /sudo of a n: a name/],
  ])('%s refuses a value that the installer does not have', async (template, tree, vars, why) => {
    const guest = guestWith(template, vars)
    const rendering = rendered(guest, tree)
    await expect(rendering).rejects.toThrow(why)
  })

  test.each([
    ['fedora.ks', treeWith({})],
    ['debian.preseed', debian12],
    ['ubuntu.user-data', ubuntu2404],
    ['suse.autoyast.xml', leap15],
    ['suse.agama.json', leap16],
  ] as const)(
    '%s passes no colon in the name of a user, which useradd would refuse',
    async (template, tree) => {
      const guest = guestWith(template, { users: [{ name: 'ann', gecos: 'Ann: Other' }] })
      const { text } = await rendered(guest, tree)
      expect(text).not.toContain('Ann:')
      expect(text).toContain('Ann  Other')
    },
  )

  test('of kickstart is rendered for each distribution that it is for, whatever its numbers', async () => {
    for (const distro of distros.filter((each) => recordOf(each).template === 'fedora.ks')) {
      const counted = recordOf(distro).instPrefixSince === 'always' ? '2' : '22.03'
      const tree = treeWith({ distro, family: recordOf(distro).name, version: counted })
      const guest = guestWith('fedora.ks')
      const { text } = await rendered(guest, tree)
      expect(text, distro).toContain('autopart --type=lvm')
    }
  })

  test('have no problems', async () => {
    expect(await lintTemplates(templates, renderer)).toEqual([])
  })

  test('contain no password hash unless a password was given', async () => {
    // The guests of the `plain` cases set no variable, so no password either.
    for (const { golden, guest, tree } of answerCases.filter((each) => each.golden.includes('plain'))) {
      const { text } = await rendered(guest, tree)
      expect(text, golden).not.toContain('$6$')
    }
  })
})

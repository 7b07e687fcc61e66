import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Tree } from '../../server/core/tree/tree.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { scriptsIn } from '../support/answer-scripts.ts'
import {
  debian12,
  guestWith,
  leap15,
  leap16,
  shippedTemplates,
  snapshotWith,
  urls,
} from '../support/answers.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/**
 * The users that a script of an answer file makes, by the programs of the new system: useradd, usermod, sudo. It runs in
 * namespaces with an /etc, a /home and a host name of its own.
 */
const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4x "ann"\'s $key'
const users = [
  {
    name: 'ann',
    gecos: 'Ann "A": <Other> & $HOME',
    groups: ['adm', 'brewers'],
    password: 'p"w',
    ssh_keys: [`${key}\n`, `${key} too`],
    sudo: true,
  },
  { name: 'bob', password_hash: '$6$salt$hash', groups: ['brewers'], sudo: 'nopasswd' },
  { name: 'eve.x' },
]

/** The script of an answer file that makes the users, without what follows it. */
async function usersScript(template: string, tree: Tree): Promise<string> {
  const guest = guestWith(template, { users })
  const snapshot = snapshotWith([guest], shippedTemplates())
  const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts: () => ({ tree, urls }) }
  const { text } = await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
  const script = scriptsIn(template, text).find((each) => /^id -u ann/m.test(each)) ?? ''
  return script.slice(script.search(/^id -u ann/m)).replace(/^# Prints the HTTP status[\s\S]*/m, '')
}

const show = `
set -e
# sudo looks the name of the machine up.
hostname localhost
private=$(mktemp -d)
mount -t tmpfs none "$private"
cp -a /etc "$private/etc"
mkdir "$private/home"
mount --bind "$private/etc" /etc
mount --bind "$private/home" /home
# Twice: what is there already is kept.
sh "$1" && sh "$1"
for name in ann bob eve.x; do
  echo "$name: $(id -nG "$name" | tr ' ' '\\n' | sort | tr '\\n' ' ')"
  getent passwd "$name" | cut -d: -f5-
  getent shadow "$name" | cut -d: -f2 | cut -c1-9
done
stat -c '%A %U %n' /home/ann/.ssh /home/ann/.ssh/authorized_keys
cat /home/ann/.ssh/authorized_keys
stat -c '%a %U' /etc/sudoers.d/treeboot
visudo -c > /dev/null
for name in ann bob eve.x; do sudo -l -U "$name" | grep -E '^ +\\(ALL : ALL\\)|not allowed' | sort -u; done
`

test.each([
  ['debian.preseed', debian12],
  ['suse.autoyast.xml', leap15],
  ['suse.agama.json', leap16],
] as const)('%s', async (template, tree) => {
  requireRoot()
  requireClient('visudo')
  const folder = temporaryFolder()
  const script = join(folder, 'users.sh')
  writeFileSync(script, await usersScript(template, tree))
  const args = ['--mount', '--uts', 'sh', '-c', show, 'sh', script]
  const { stdout, stderr, status } = spawnSync('unshare', args, { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout.replaceAll(/ on \S+\.$/gm, '').split('\n')).toEqual([
    'ann: adm ann brewers ',
    'Ann "A"  <Other> & $HOME:/home/ann:/bin/bash',
    '$6$3fraj2',
    'bob: bob brewers ',
    'bob:/home/bob:/bin/bash',
    '$6$salt$h',
    'eve.x: eve.x ',
    'eve.x:/home/eve.x:/bin/bash',
    '!',
    'drwx------ ann /home/ann/.ssh',
    '-rw------- ann /home/ann/.ssh/authorized_keys',
    key,
    `${key} too`,
    '440 root',
    '    (ALL : ALL) ALL',
    '    (ALL : ALL) NOPASSWD: ALL',
    'User eve.x is not allowed to run sudo',
    '',
  ])
})

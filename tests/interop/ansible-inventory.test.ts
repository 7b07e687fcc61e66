import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treebootIn } from '../support/cli.ts'
import { requireClient } from '../support/clients.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** What ansible-inventory makes of the inventories that `guests export` prints. */

const config = `
profiles: { base: {}, web-1: { inherits: base }, 9p: {}, all: {} }
guests:
  web01: { ip: 10.0.0.7, profile: web-1, vars: { motd: "{{ lookup('pipe', 'id') }}", port: 8080, on: "yes" } }
  web02: { profile: [9p, all] }
  bare: {}
`

interface Inventory {
  readonly _meta: { readonly hostvars: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  readonly [group: string]: unknown
}

test('the file and the script are the same inventory', async () => {
  const program = requireClient('ansible-inventory')
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', config)
  const printed = async (...args: string[]) =>
    (await treebootIn(cwd, 'guests', 'export', '--as', 'ansible', ...args)).out
  const read = (inventory: string, ...args: string[]): Inventory => {
    const out = execFileSync(program, ['-i', join(cwd, inventory), ...args], {
      encoding: 'utf8',
      env: { ...process.env, ANSIBLE_LOCAL_TEMP: cwd, ANSIBLE_INVENTORY_UNPARSED_FAILED: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return JSON.parse(out) as Inventory
  }
  writeFileSync(join(cwd, 'inventory.yaml'), await printed())
  writeFileSync(join(cwd, 'list.json'), await printed('--list'))
  // What the script of the manual prints, without starting this program a second time.
  writeFileSync(join(cwd, 'script'), '#!/bin/sh\n[ "$1" = --list ] && exec cat "$(dirname "$0")/list.json"\n')
  chmodSync(join(cwd, 'script'), 0o755)
  const fromFile = read('inventory.yaml', '--list')
  expect(read('script', '--list')).toEqual(fromFile)
  expect(fromFile).toMatchObject({
    base: { children: ['web_1'] },
    web_1: { hosts: ['web01'] },
    _9p: { hosts: ['web02'] },
    all_2: { hosts: ['web02'] },
    ungrouped: { hosts: ['bare'] },
  })
  const { web01 } = fromFile._meta.hostvars
  expect(web01).toMatchObject({ ansible_host: '10.0.0.7', port: 8080, on: 'yes' })
  // Marked as no template, so that nothing is run by reading it.
  expect(web01?.motd).toEqual({ __ansible_unsafe: "{{ lookup('pipe', 'id') }}" })
})

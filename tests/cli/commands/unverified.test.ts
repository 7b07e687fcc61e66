import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treebootIn } from '../../support/cli.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const kernel = 'trees/fedora-40/images/pxeboot/vmlinuz'
const copied = new Date('2024-04-23T12:00:00Z')

function home(): string {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests:\n  web01: { tree: fedora-40, template: small.ks }\n')
  writeBelow(cwd, 'kickstart-templates/small.ks', 'text\n')
  makeTree(join(cwd, 'trees/fedora-40'))
  utimesSync(join(cwd, kernel), copied, copied)
  return cwd
}

/** Changes a byte of the kernel; all that a stat shows stays the same. */
function flipByte(cwd: string): void {
  const file = join(cwd, kernel)
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
  writeFileSync(file, bytes)
  utimesSync(file, copied, copied)
}

const asking = [
  ['trees'],
  ['lookup', '--tree', 'fedora-40'],
  ['lookup', '--guest', 'web01', '--as', 'env'],
  ['render', 'web01', '--as', 'virt-install'],
  ['explain', 'web01'],
  ['guests'],
  ['guests', 'show', 'web01'],
]

test('a damaged kernel that no server has read yet is found by every command that speaks of its tree', async () => {
  const cwd = home()
  flipByte(cwd)
  const check = await treebootIn(cwd, 'check')
  expect(check.code).toBe(2)
  expect(check.out).toMatch(/ERROR +trees\/fedora-40: images\/pxeboot\/vmlinuz is damaged: sha256 expected/)
  for (const command of asking) {
    const { out, err } = await treebootIn(cwd, ...command)
    expect(`${out}${err}`, command.join(' ')).toMatch(/broken|damaged|no tree/)
    expect(out, command.join(' ')).not.toMatch(/ready|--location|TREEBOOT_KERNEL=|installs fedora/)
  }
  // No command makes the data folder that it reads.
  expect(existsSync(join(cwd, 'data'))).toBe(false)
})

test('with --no-verify the state of the tree is "not verified"', async () => {
  const cwd = home()
  flipByte(cwd)
  expect((await treebootIn(cwd, 'trees', '--no-verify')).out).toMatch(/^not verified {2}fedora-40 /m)
  const [tree] = JSON.parse((await treebootIn(cwd, 'trees', '--no-verify', '--json')).out)
  expect(tree).toMatchObject({ id: 'fedora-40', state: 'not verified' })
  const found = await treebootIn(cwd, 'lookup', '--tree', 'fedora-40', '--no-verify')
  expect(JSON.parse(found.out)).toMatchObject({ tree: { id: 'fedora-40', state: 'not verified' } })
  const check = await treebootIn(cwd, 'check', '--no-verify')
  expect(check.out).toMatch(/warning +trees\/fedora-40: not verified: .*images\/pxeboot\/vmlinuz/)
  for (const command of asking.slice(1)) {
    const { code, err } = await treebootIn(cwd, ...command, '--no-verify')
    expect({ code, err }).toEqual({ code: 0, err: 'warning: tree fedora-40 is not verified\n' })
  }
})

test('the reply to an order, which computes no digests, says that a tree is not verified', async () => {
  const cwd = home()
  const install = () => treebootIn(cwd, 'install', 'web01')
  expect((await install()).out).toMatch(/installs fedora-40 \(not verified\), once/)
  await treebootIn(cwd, 'check')
  expect((await install()).out).toMatch(/installs fedora-40, once/)
})

test('a tree whose digests are known is only looked at, by commands as by the server', async () => {
  const cwd = home()
  mkdirSync(join(cwd, 'data'))
  const [first] = JSON.parse((await treebootIn(cwd, 'trees', '--json')).out)
  expect(first).toMatchObject({ state: 'ready' })
  flipByte(cwd)
  const [again] = JSON.parse((await treebootIn(cwd, 'trees', '--json')).out)
  expect(again).toMatchObject({ state: 'ready' })
  // A known tree is verified, whether digests may be computed or not.
  const [known] = JSON.parse((await treebootIn(cwd, 'trees', '--no-verify', '--json')).out)
  expect(known).toMatchObject({ state: 'ready' })
})

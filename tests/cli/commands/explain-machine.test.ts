import { join } from 'node:path'
import { expect, test } from 'vitest'
import { machineOf } from '../../../server/core/guest/seen-machine.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'
import { type CliResult, treebootIn } from '../../support/cli.ts'
import { makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** What `explain` says of a machine that a server has seen, or has not. */

const stranger = '52:54:00:77:77:78'
const web01 = '52:54:00:aa:bb:01'
const seenMs = Date.parse('2026-11-23T16:20:31Z')

interface Setting {
  readonly dhcp?: string
  readonly loaders?: readonly string[]
  /** MAC -> firmware, as a DHCP request showed it. */
  readonly seen?: Readonly<Record<string, string>>
}

async function home({ dhcp = 'mode: proxy', loaders = [], seen = {} }: Setting): Promise<string> {
  const cwd = temporaryFolder()
  makeTree(join(cwd, 'trees/fedora-40'))
  for (const name of loaders) writeBelow(cwd, `tftpboot/${name}`, 'loader')
  writeBelow(
    cwd,
    'config.yaml',
    `dhcp: { ${dhcp} }\nguests:\n  web01: { mac: "${web01}", tree: fedora-40 }\n  bare: { tree: fedora-40 }\n`,
  )
  const store = await openStore({ data: join(cwd, 'data'), witness: [], onTrouble: () => undefined })
  const machines = Object.entries(seen).map(([mac, firmware]) => machineOf({ macs: [mac], firmware }, seenMs))
  await store.addUnknownMachines(machines.filter((machine) => machine !== undefined))
  await store.close()
  return cwd
}

/** The lines of the explanation that begin with these words, as `value <- from`. */
async function said(result: Promise<CliResult>): Promise<Record<string, string[]>> {
  const { explanation } = JSON.parse((await result).out) as {
    explanation: { what: string; value: string; from: string }[]
  }
  const lines: Record<string, string[]> = {}
  for (const { what, value, from } of explanation) {
    lines[what] ??= []
    lines[what].push(`${value} <- ${from}`)
  }
  return lines
}

const explain = (cwd: string, asked: string) => said(treebootIn(cwd, 'explain', asked, '--json'))

test('a machine for which there is no loader gets nothing, and is promised no menu', async () => {
  const cwd = await home({ seen: { [stranger]: 'uefi-arm64' } })
  const { seen, loader, plan } = await explain(cwd, stranger)
  expect(seen).toEqual(['uefi-arm64 <- 2026-11-23T16:20:31.000Z; asked once'])
  expect(loader).toEqual([
    'none <- uefi-arm64: no loader for uefi-arm64 is there; treeboot loaders says what is missing',
  ])
  expect(plan).toEqual([expect.stringMatching(/^nothing <- it gets no loader; with one: menu of 0 trees/)])
})

test('a machine that was never seen says so, and so does a guest', async () => {
  const cwd = await home({ loaders: ['undionly.kpxe', 'snponly.efi'] })
  const unknown = await explain(cwd, stranger)
  expect(unknown.seen).toEqual([expect.stringMatching(/^never <- /)])
  expect(unknown.loader).toBeUndefined()
  expect(unknown.plan).toEqual(['menu of 1 trees <- unknown: menu'])
  for (const guest of ['web01', web01, 'bare']) {
    const { seen, loader } = await explain(cwd, guest)
    expect(seen).toEqual([expect.stringMatching(/^never <- /)])
    expect(loader).toEqual([
      'undionly.kpxe <- if it is bios: the default for bios',
      'snponly.efi <- if it is uefi-x64: the default for uefi-x64',
    ])
  }
})

test('every setting is shown with its line; of a variable, which may be a password, only the name', async () => {
  const cwd = await home({})
  writeBelow(
    cwd,
    'config.yaml',
    `profiles:
  base: { retry: true, vars: { root_password_hash: "$6$abc", timezone: UTC } }
guests:
  web01: { profile: base, tree: fedora-40, loader: grub, virt: { memory: 3000, disk: 7 }, vars: { timezone: CET } }
`,
  )
  const { out } = await treebootIn(cwd, 'explain', 'web01')
  for (const line of [
    /^virt\.memory +3000 +<- guest web01 \(config\.yaml:4\)$/m,
    /^virt\.disk +7 +<- guest web01/m,
    /^virt\.vcpus +\d+ +<- default$/m,
    /^virt\.network +\S+ +<- default$/m,
    /^retry +true +<- profile base \(config\.yaml:2\)$/m,
    /^loader wanted +grub +<- guest web01/m,
    /^var +root_password_hash +<- profile base \(config\.yaml:2\)$/m,
    /^var +timezone +<- guest web01 \(config\.yaml:4\)$/m,
  ])
    expect(out).toMatch(line)
  expect(out).not.toContain('$6$')
})

test('a guest that asked is shown with its firmware and the loader for it', async () => {
  const cwd = await home({ loaders: ['undionly.kpxe', 'snponly.efi'], seen: { [web01]: 'uefi-x64' } })
  const { seen, loader, plan } = await explain(cwd, 'web01')
  expect(seen).toEqual([expect.stringMatching(/^uefi-x64 <- 2026-11-23T16:20:31/)])
  expect(loader).toEqual(['snponly.efi <- uefi-x64: the default for uefi-x64'])
  expect(plan).toEqual([expect.stringMatching(/^install /)])
  // A guest is no unknown machine, though the store has seen both.
  expect((await treebootIn(cwd, 'inbox')).out).toBe('no unknown machine asked for boot\n')
})

test.each([
  [
    'mode: off',
    'undionly.kpxe <- bios: the default for bios; dhcp.mode is off, so your DHCP server has to name it',
  ],
  ['mode: proxy, known-only: true', 'none <- bios: it is not a guest, and dhcp.known-only is true'],
])('with dhcp: { %s } it says who sends the loader, or why nobody does', async (dhcp, line) => {
  const cwd = await home({ dhcp, loaders: ['undionly.kpxe'], seen: { [stranger]: 'bios' } })
  expect((await explain(cwd, stranger)).loader).toEqual([line])
})

test('only trees that the machine can run are in its menu', async () => {
  const cwd = await home({
    loaders: ['snponly-arm64.efi', 'ipxe-arm64.efi'],
    seen: { [stranger]: 'uefi-x64' },
  })
  makeTree(join(cwd, 'trees/fedora-arm'), { arch: 'aarch64', version: '41' })
  writeBelow(cwd, 'tftpboot/snponly.efi', 'loader')
  expect((await explain(cwd, stranger)).plan).toEqual(['menu of 1 trees <- unknown: menu'])
})

test('firmware that a store of another version names is no firmware of ours, and stops nothing', async () => {
  const cwd = await home({ seen: { [stranger]: 'uefi-z80', [web01]: 'toaster' } })
  expect((await explain(cwd, stranger)).seen).toEqual([expect.stringContaining('uefi-z80')])
  expect((await explain(cwd, web01)).loader).toHaveLength(2)
})

test('a machine of a kind that has no loader at all is told so, by name', async () => {
  const cwd = await home({ seen: { [stranger]: 'option 93: 31', [web01]: 'option 93: 2' } })
  const { seen, loader, plan } = await explain(cwd, stranger)
  expect(seen).toEqual(['option 93: 31 <- 2026-11-23T16:20:31.000Z; asked once'])
  expect(loader).toEqual(['none <- there is no loader for option 93 31 (s390, basic)'])
  expect(plan).toEqual([expect.stringMatching(/^nothing <- it gets no loader/)])
  // Its tree does not say what the machine is: the machine did.
  expect((await explain(cwd, 'web01')).loader).toEqual([
    'none <- there is no loader for option 93 2 (UEFI on Itanium)',
  ])
})

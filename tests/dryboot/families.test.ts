import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import { type TestFirmware, testFirmwares } from '../../server/core/boot/test-firmware.ts'
import { canonicalArch } from '../../server/core/tree/arch.ts'
import { kernelParts } from '../../server/core/tree/kernel-header.ts'
import type { NeededFile } from '../../server/core/tree/tree.ts'
import type { TriedBoot } from '../../server/dryboot/steps.ts'
import { failureOf, loaderTexts, readFolder, tryIn } from '../support/dry-boot.ts'
import { kernelHeads } from '../support/kernel-heads.ts'
import { type LayoutRow, layoutRows } from '../support/layout-rows.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

/** A miniature of one row of docs/layouts.md for each system: its kernel, initrd and what its initrd needs. */
const nameOf = ({ system }: LayoutRow) => system.replace(/ [\d.]+$/, '')
const rows = layoutRows
  .filter(({ platform }) => platform !== 'xen' && platform !== 'lpae')
  .filter((row, at, all) => all.findIndex((each) => nameOf(each) === nameOf(row)) === at)
  .map((row, at) => ({ ...row, guest: `g${at}`, id: `l${at}/${slug(row.system)}-${slug(row.platform)}` }))

function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9._]+/g, '-')
}

const heads = new Map([...kernelHeads().values()].map((each) => [canonicalArch(each.arch), each]))
/** A file with all that tells the architecture of a kernel. */
function kernelFor(platform: string): Uint8Array {
  const known = heads.get(canonicalArch(platform))
  if (!known) return Buffer.from('kernel')
  const bytes = Buffer.alloc(kernelParts.s390.offset + kernelParts.s390.bytes)
  bytes.set(known.head)
  bytes.set(known.s390, kernelParts.s390.offset)
  return bytes
}

const home = keptFolder()
let snapshot: Snapshot

beforeAll(async () => {
  for (const { id, kernel, initrd, platform } of rows) {
    writeBelow(home.path, `trees/${id}/${kernel}`, kernelFor(platform))
    writeBelow(home.path, `trees/${id}/${initrd}`, 'initrd')
  }
  for (const [name, bytes] of Object.entries(loaderTexts)) writeBelow(home.path, `tftpboot/${name}`, bytes)
  const guests = rows.map(({ guest, id }, at) => {
    const mac = `52:54:00:00:00:${at.toString(16).padStart(2, '0')}`
    return `  ${guest}: { mac: "${mac}", tree: { id: ${id} } }\n`
  })
  writeBelow(home.path, 'config.yaml', `dhcp: { mode: proxy }\nguests:\n${guests.join('')}`)
  for (const { id, missing } of (await readFolder(home.path)).trees.all)
    if (missing) writeBelow(join(home.path, 'trees', id), nameIn(missing), 'what its initrd needs')
  snapshot = await readFolder(home.path)
})
afterAll(() => home.remove())

function nameIn({ anyOf: [name], folder }: NeededFile): string {
  return name ?? `${folder?.path}/filesystem.squashfs`
}

/** Where a boot of this row ends, in one word; `installs` for one that passes. */
function endOf(boot: TriedBoot | undefined): string {
  const failure = boot && failureOf(boot)
  return failure ? failure.what : 'installs'
}

/** Where each kind of firmware ends with a kernel for this platform, when nothing else speaks against it. */
function endsOf(platform: string): Record<TestFirmware, string> {
  const arch = canonicalArch(platform).replace(/_v\d$/, '')
  const isPc = arch === 'x86_64' || arch === 'i386'
  const pc = isPc ? 'installs' : 'kernel'
  const arm = arch === 'aarch64' ? 'installs' : 'kernel'
  const either = isPc || arch === 'aarch64' ? 'installs' : 'kernel'
  return {
    bios: pc,
    'uefi-x64': pc,
    'uefi-arm64': arm,
    'uefi-http': either,
    ipxe: either,
    direct: 'installs',
  }
}

describe('every kind of firmware walks the tree of each system', () => {
  test.each(rows)('$system, $platform', async ({ guest, id, platform }) => {
    const tree = snapshot.trees.byId(id)
    expect(tree?.state, tree?.reasons.join()).toBe('ready')
    const tried: TriedBoot[] = []
    for (const firmware of testFirmwares)
      tried.push(...(await tryIn(home.path, guest, { firmware }, { snapshot })))
    const refused = tried.map(failureOf).find((failure) => failure?.what === 'plan')
    // What the planner refuses, every loader is told: with the same reason.
    if (refused) expect(tried.map(({ steps }) => steps.at(-1)?.why)).toEqual(tried.map(() => refused.why))
    else
      expect(Object.fromEntries(tried.map((boot) => [boot.firmware, endOf(boot)]))).toEqual(endsOf(platform))
  })

  test('most of them boot: the walk is not only refused', async () => {
    const ends = await Promise.all(
      rows.map(async ({ guest }) =>
        endOf((await tryIn(home.path, guest, { firmware: 'direct' }, { snapshot }))[0]),
      ),
    )
    expect(ends.filter((end) => end === 'installs').length).toBeGreaterThan(rows.length / 2)
  })
})

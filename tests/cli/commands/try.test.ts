import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import type { TriedBoot } from '../../../server/dryboot/steps.ts'
import { quickApp } from '../../support/app.ts'
import { type CliResult, treebootIn } from '../../support/cli.ts'
import { loaderTexts, makeBootableTree } from '../../support/dry-boot.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, namesBelow, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)
let app: App

beforeAll(async () => {
  makeBootableTree(home.path, 'fedora-40')
  for (const [name, bytes] of Object.entries(loaderTexts)) writeBelow(home.path, `tftpboot/${name}`, bytes)
  writeBelow(home.path, 'kickstart-templates/good.ks', 'text\nrootpw hunter2\n')
  writeBelow(home.path, 'kickstart-templates/bad.ks', 'text\n{{ nope }}\n')
  const off = ['http', 'tftp', 'ftp', 'nfs'].map((name) => `${name}: { port: 0 }\n`).join('')
  const guests = [
    'web01: { mac: "52:54:00:aa:bb:01", tree: { id: fedora-40 }, template: good.ks }',
    'bad01: { mac: "52:54:00:aa:bb:02", tree: { id: fedora-40 }, template: bad.ks }',
  ]
  writeBelow(
    home.path,
    'config.yaml',
    `server: { bind: 127.0.0.1 }\n${off}guests:\n${guests.map((line) => `  ${line}\n`).join('')}`,
  )
  app = quickApp({ cwd: home.path, newStore: 'install' })
  await app.start()
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'))
})
afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('treeboot try, beside a running server', () => {
  test('prints a line for each step, and what the machine does at the end', async () => {
    const { code, out } = await treeboot('try', 'web01', '--firmware', 'ipxe')
    expect(code).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toBe('web01, ipxe, its next boot')
    expect(lines.slice(1, 4).map((line) => line.trim().split(/ {2,}/).slice(0, 3))).toEqual([
      ['not tried', 'dhcp', 'dhcp'],
      ['ok', 'configuration', 'http'],
      ['ok', 'configuration', 'http'],
    ])
    expect(out).toMatch(/^ {2}ok +answer file +http +\/ks\/web01 +\d+ bytes; made from good\.ks$/m)
    expect(lines.at(-1)).toBe('ok: web01 installs fedora-40')
    expect(out).not.toContain('hunter2')
  })

  test('ends with 1 where a boot does not get to its end, and says why and what to do', async () => {
    const { code, out } = await treeboot('try', 'bad01', '--all', '--json')
    expect(code).toBe(1)
    const { guest, boots } = JSON.parse(out)
    expect(guest).toBe('bad01')
    expect(boots.map(({ firmware }: { firmware: string }) => firmware)).toEqual([
      'bios',
      'uefi-x64',
      'uefi-http',
      'ipxe',
      'direct',
    ])
    const why = Object.fromEntries(
      boots.map(({ firmware, ok, steps }: TriedBoot) => [firmware, ok ? 'ok' : steps.at(-1)?.why]),
    )
    // The configuration of this test has no TFTP where firmware asks.
    const closed = expect.stringContaining('not on port 69')
    const template = expect.stringMatching(/bad\.ks:2: .*nope/)
    expect(why).toEqual({
      bios: closed,
      'uefi-x64': closed,
      'uefi-http': template,
      ipxe: template,
      direct: template,
    })
    const plain = await treeboot('try', 'bad01', '--firmware', 'direct')
    expect(plain).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^FAILED: bad01 stops at plan: .*bad\.ks:2/m),
    })
  })

  test('tries an installation without ordering it', async () => {
    expect((await treeboot('local', 'web01')).code).toBe(0)
    const next = await treeboot('try', 'web01', '--firmware', 'ipxe')
    expect(next).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ok: web01 boots its own disk: web01 is kept/m),
    })
    const database = () => readFileSync(join(home.path, 'data/treeboot.db')).toString('hex')
    const before = { files: namesBelow(join(home.path, 'data')), database: database() }
    const asIf = await treeboot('try', 'web01', '--firmware', 'ipxe', '--as-if', 'install')
    expect(asIf).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^web01, ipxe, if it were installed now\n/),
    })
    expect(asIf.out).toMatch(/^ok: web01 installs fedora-40$/m)
    expect({ files: namesBelow(join(home.path, 'data')), database: database() }).toEqual(before)
    expect((await treeboot('explain', 'web01')).out).toMatch(/plan +local-disk/)
  })

  test('makes nothing where no server ever ran', async () => {
    rmSync(join(home.path, 'other'), { recursive: true, force: true })
    writeBelow(home.path, 'other/config.yaml', 'guests: { web01: { mac: "52:54:00:aa:bb:01" } }\n')
    const other = join(home.path, 'other')
    const { code, out } = await treebootIn(other, 'try', 'web01', '--firmware', 'direct')
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('it has no tree') })
    expect(namesBelow(other)).toEqual(['config.yaml'])
  })

  test('knows its guests, and its firmware', async () => {
    expect(await treeboot('try', 'web02')).toMatchObject({
      code: 3,
      err: expect.stringContaining('did you mean web01'),
    })
    expect(await treeboot('try', 'web01', '--firmware', 'coreboot')).toMatchObject({ code: 2 })
    expect(await treeboot('try', 'web01', '--firmware', 'bios', '--all')).toMatchObject({ code: 2 })
    const { out } = await treeboot('try', '--help')
    for (const name of ['bios', 'uefi-x64', 'uefi-arm64', 'uefi-http', 'ipxe', 'direct'])
      expect(out).toContain(name)
  })
})

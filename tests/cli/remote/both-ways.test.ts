import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { machineOf } from '../../../server/core/guest/seen-machine.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'
import { makeToken } from '../../support/api.ts'
import { httpOnly, portOf, quickApp } from '../../support/app.ts'
import { type CliResult, treebootAt } from '../../support/cli.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

/** One command line beside the files of a server, and by `--server` against it: the same words, the same bytes. */

const config = `${httpOnly.replace('bind: 127.0.0.1', 'bind: 127.0.0.1, url: "http://boot.example:8080"')}
paths: { tftpboot: tftpboot }
profiles:
  zeta: { args: [quiet] }
  base: { inherits: zeta, template: web.ks }
guests:
  web02: { mac: "52:54:00:aa:bb:02", serial: S2, profile: base, tree: nowhere }
  web01: { mac: "52:54:00:aa:bb:01", ip: 192.0.2.7, profile: base, tree: fedora-40 }
  Web3: { tree: fedora-40 }
  plain: { serial: P, tree: fedora-40, template: plain.ks }
`
const home = keptFolder()
const elsewhere = keptFolder()
let app: App
let token = ''
const url = (): string => `http://127.0.0.1:${portOf(app)}`

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  makeTree(join(home.path, 'trees/broken-41'), { version: '41' })
  writeFileSync(join(home.path, 'trees/broken-41/images/pxeboot/vmlinuz'), 'damaged')
  mkdirSync(join(home.path, 'tftpboot'))
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'guests.d/file1.yaml', '# a note\nmac: 52:54:00:aa:bb:03\nprofile: zeta # ours\n')
  writeBelow(home.path, 'profiles.d/filed.yaml', 'args: [text]\n')
  writeBelow(home.path, 'mirrors.d/a/b.yaml', 'url: http://anna:secret@127.0.0.1:9/x/\nschedule: every 24h\n')
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ report_url }}\n')
  writeBelow(home.path, 'kickstart-templates/plain.ks', '# {{ guest.name }}\n')
  for (const id of ['7', '8']) {
    const table = `name,mac,profile\nimp${id},52:54:00:00:07:0${id},zeta\nimpw${id},nonsense,zeta\n`
    for (const folder of [home, elsewhere]) writeBelow(folder.path, `hosts${id}.csv`, table)
  }
  for (const folder of [home, elsewhere]) {
    writeBelow(folder.path, 'good.ks', '# {{ guest.name }}\n')
    writeBelow(folder.path, 'bad.ks', '{{ x }\n')
  }
  writeBelow(elsewhere.path, 'odd.txt', 'nothing\n')
  writeBelow(home.path, 'odd.txt', 'nothing\n')
  makeTree(join(elsewhere.path, 'good'), { version: '42' })
  makeTree(join(elsewhere.path, 'bad'), { version: '43' })
  writeFileSync(join(elsewhere.path, 'bad/images/pxeboot/vmlinuz'), 'damaged')
  mkdirSync(join(elsewhere.path, 'empty'))
  for (const name of ['good', 'bad', 'empty']) {
    execFileSync('tar', ['-C', join(elsewhere.path, name), '-cf', join(elsewhere.path, `${name}.tar`), '.'])
    cpSync(join(elsewhere.path, `${name}.tar`), join(home.path, `${name}.tar`))
  }
  writeBelow(elsewhere.path, 'password', 'correct horse battery\n')
  cpSync(join(elsewhere.path, 'password'), join(home.path, 'password'))
  makeTree(join(home.path, 'from'), { version: '39' })
  for (const id of ['pub7', 'pub8', 'pub7', 'pub8'])
    expect((await beside('trees', 'import', 'from', '--id', id)).code).toBe(0)
  app = quickApp({ cwd: home.path, newStore: 'install' })
  await app.start()
  token = await makeToken(app, 'admin')
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
  await eventually(() => expect(app.snapshot().trees.byId('broken-41')?.state).toBe('broken'), 15_000)
  await fetch(`${url()}/boot/by/52-54-00-aa-bb-01/ipxe`)
  await eventually(async () => expect((await app.boots.list({ limit: 9 })).length).toBe(1))
  const store = await openStore({ data: join(home.path, 'data'), witness: [], onTrouble: () => undefined })
  const seen = ['52:54:00:00:00:07', '52:54:00:00:00:08'].map((mac) => machineOf({ macs: [mac] }, 1000))
  await store.addUnknownMachines(seen.filter((each) => each !== undefined))
  await store.close()
}, 40_000)
afterAll(async () => {
  await app.stop()
  home.remove()
  elsewhere.remove()
})

const beside = (...args: string[]): Promise<CliResult> => treebootAt(home.path, args)
const there = (...args: string[]): Promise<CliResult> =>
  treebootAt(elsewhere.path, [...args, '--server', url()], { environment: { TREEBOOT_TOKEN: token } })

/** A running server knows of uses that are not stored yet. */
function withoutUses({ out, ...rest }: CliResult): CliResult {
  return {
    ...rest,
    out: out.replaceAll(/("last(?:Used|From)": ).*/g, '$1').replaceAll(/ [\d.]+ m?s(?= {2})/g, ' TIME'),
  }
}

describe('prints the same bytes with the same exit code', () => {
  const questions: readonly (readonly string[])[] = [
    ['trees'],
    ['trees', '--json'],
    ['trees', 'show', 'fedora-40'],
    ['trees', 'show', 'fedora-40', '--json'],
    ['trees', 'show', 'broken-41'],
    ['trees', 'show', 'nothing'],
    ['trees', 'verify', 'fedora-40'],
    ['verify', 'fedora-40', '--json'],
    ['verify', 'fedora-40', '--no-packages'],
    ['verify', 'broken-41'],
    ['verify', 'broken-41', '--json'],
    ['verify', 'nothing'],
    ['render', 'web01', '--as', 'ipxe'],
    ['render', 'web01', '--as', 'virt-install', '--json'],
    ['render', 'plain'],
    ['render', 'plain', '--as', 'grub'],
    ['watch', '--once'],
    ['watch', '52-54-00-AA-BB-01', '--once', '--json'],
    ['guests'],
    ['guests', '--json'],
    ['guests', 'show', 'web01'],
    ['guests', 'show', 'web01', '--json'],
    ['guests', 'show', 'web02'],
    ['profiles'],
    ['profiles', '--json'],
    ['mirrors'],
    ['mirrors', '--json'],
    ['inbox'],
    ['inbox', '--json'],
    ['explain', 'web01'],
    ['explain', 'web01', '--json'],
    ['explain', 'web02'],
    ['lookup', '--distro', 'fedora', '--arch', 'x86_64'],
    ['lookup', '--guest', 'web01', '--as', 'virt-install'],
    ['lookup', '--mac', '52:54:00:aa:bb:01', '--as', 'env'],
    ['lookup', '--tree', 'fedora-4'],
    ['lookup', '--tree', 'fedora-40', '--arch', 'i386'],
    ['lookup', '--mac', 'zz'],
    ['accounts'],
    ['accounts', '--json'],
    ['accounts', 'sessions', 'admin-1'],
    ['tokens', '--json'],
    ['problems'],
    ['trees', 'history'],
    ['trees', 'history', '--json'],
    ['boots'],
    ['boots', '--json'],
    ['boots', '--state', 'failed'],
    ['boots', 'show', '1', '--json'],
    ['loaders'],
    ['loaders', '--json'],
    ['dhcp-config', 'kea'],
    ['dhcp-config', 'dnsmasq', '--json'],
    ['try', 'web01', '--firmware', 'direct'],
    ['try', 'web01', '--as-if', 'install', '--firmware', 'uefi-http', '--json'],
    ['templates'],
    ['templates', '--json'],
    ['templates', 'list'],
    ['templates', 'show', 'web.ks'],
    ['templates', 'show', 'web.ks', '--json'],
    ['templates', 'show', 'nothing'],
    ['guests', 'export'],
    ['guests', 'export', '--as', 'json', 'web01'],
    ['guests', 'export', '--as', 'ansible'],
    ['guests', 'export', '--as', 'ansible', '--list'],
    ['guests', 'export', '--as', 'ansible', '--host', 'web01'],
    ['problems', '--json'],
    ['audit', '--json'],
    ['audit', '--json-lines', '--limit', '2'],
    ['audit', '--since', '1h'],
  ]
  test.each(questions.map((words) => [words.join(' '), words] as const))('%s', async (_, words) => {
    const [here, remote] = [await beside(...words), await there(...words)]
    expect(withoutUses(remote)).toEqual(withoutUses(here))
    expect(here.out + here.err).not.toBe('')
  })

  /** Each pair is what was run beside the server and by it, on things that differ in their names alone. */
  const changes: readonly (readonly string[])[] = [
    ['guests', 'add', 'new#', 'serial=X#', 'virt.memory=2048', '--local'],
    ['guests', 'add', 'arm#', 'serial=Y#', 'tree=fedora-40', '--dry-run'],
    ['guests', 'add', 'arm#', 'serial=Y#', 'tree=fedora-40'],
    ['guests', 'add', 'odd#', 'serial=Z#', 'tree=nowhere'],
    ['guests', 'add', 'new#', 'serial=X#'],
    ['guests', 'add', 'bad#', 'nonsense=1'],
    ['guests', 'set', 'new#', 'virt.memory=4096', 'ip=192.0.2.1#', '--json', '--dry-run'],
    ['guests', 'set', 'new#', 'virt.memory=4096', 'ip=192.0.2.1#'],
    ['guests', 'set', 'new#', 'virt.memory=4096'],
    ['guests', 'set', 'new#', 'virt.memory.x=4096'],
    ['guests', 'show', 'new#'],
    ['install', 'new#', 'arm#'],
    ['install', 'new#', 'arm#', '--yes'],
    ['guests', 'show', 'new#'],
    ['install', '--take-back', 'new#'],
    ['install', '--take-back', 'new#'],
    ['install', 'odd#', '--json'],
    ['local', 'arm#'],
    ['hold', 'arm#'],
    ['hold', 'arm#', '--json'],
    ['trees', 'import', 'good.tar', '--id', 'imp#'],
    ['import', 'good.tar', '--id', 'imp#', '--accept', 'for now'],
    ['trees', 'import', 'bad.tar', '--id', 'impw#'],
    ['trees', 'import', 'bad.tar', '--id', 'impw#', '--accept', 'for now'],
    ['trees', 'import', 'odd.txt'],
    ['trees', 'import', 'nothing.iso'],
    ['trees', 'import', 'empty.tar', '--id', 'imp#'],
    ['trees', 'history', 'pub#', '--json'],
    ['trees', 'rollback', 'pub#'],
    ['trees', 'rollback', 'pub#', '--to', 'x'],
    ['trees', 'rm', 'pub#', '--version', '1'],
    ['trees', 'rm', 'pub#', '--version', '2', '--yes'],
    ['trees', 'history', 'pub#'],
    ['trees', 'rm', 'pub#', '--version', '2', '--all-versions'],
    ['trees', 'rm', 'pub#', '--all-versions', '--yes'],
    ['trees', 'rm', 'pub#', '--replace-by', 'nothing'],
    ['trees', 'rm', 'pub#', '--dry-run'],
    ['trees', 'rm', 'pub#', '--replace-by', 'fedora-40', '--dry-run', '--json'],
    ['trees', 'rm', 'pub#'],
    ['trees', 'rm', 'pub#', '--yes', '--json'],
    ['trees', 'rm', 'pub#', '--yes'],
    ['trees', 'rollback', 'pub#'],
    ['trees', 'rm', 'pub#', '--yes'],
    ['trees', 'rm', 'fedora-40', '--yes'],
    ['trees', 'rm', 'nothing', '--yes'],
    ['templates', 'save', 'good.ks', '--as', 'new#', '--dry-run'],
    ['templates', 'save', 'good.ks', '--as', 'new#'],
    ['templates', 'save', 'good.ks', '--as', 'new#'],
    ['templates', 'save', 'bad.ks', '--as', 'new#'],
    ['templates', 'save', 'bad.ks', '--as', 'new#', '--reason', 'for now', '--json'],
    ['templates', 'rename', 'new#', 'odd#'],
    ['templates', 'rename', 'odd#', 'bad#', '--json'],
    ['templates', 'rm', 'bad#', '--dry-run'],
    ['templates', 'rm', 'bad#'],
    ['templates', 'rm', 'web.ks'],
    ['adopt', '52:54:00:00:00:0#', '--name', 'new#'],
    ['adopt', '52:54:00:00:00:0#', '--name', 'adp#', '--profile', 'zeta', '--local'],
    ['adopt', '52:54:00:00:00:0#', '--name', 'adx#'],
    ['guests', 'rename', 'new#', 'arm#'],
    ['guests', 'rename', 'new#', 'news#', '--dry-run'],
    ['guests', 'rename', 'new#', 'news#', '--json'],
    ['guests', 'rename', 'news#', 'new#'],
    ['guests', 'move', 'web01', '--to', 'guests.d', '--dry-run'],
    ['guests', 'move', 'new#', '--to', 'guests.d'],
    ['guests', 'import', 'hosts#.csv', '--dry-run'],
    ['guests', 'import', 'hosts#.csv'],
    ['guests', 'import', 'hosts#.csv', '--skip-faulty', '--json'],
    ['guests', 'import', 'hosts#.csv', '--skip-faulty'],
    ['guests', 'import', 'odd.txt'],
    ['guests', 'show', 'imp#'],
    ['guests', 'forget', 'arm#'],
    ['guests', 'forget', 'nobody'],
    ['install', 'arm#', 'new#', '--max', '1'],
    ['guests', 'rm', 'new#'],
    ['guests', 'rm', 'arm#', '--dry-run'],
    ['guests', 'rm', 'arm#', '--json'],
    ['guests', 'rm', 'odd#'],
    ['guests', 'set', 'web01', 'ip=192.0.2.9'],
    ['profiles', 'add', 'made#', 'inherits=zeta'],
    ['profiles', 'set', 'made#', 'args=[text]', '--json'],
    ['profiles', 'rm', 'zeta'],
    ['guests', 'add', 'odd#', 'profile=made#'],
    ['guests', 'add', 'usr#', 'serial=U#', 'profile=made#', '--local'],
    ['profiles', 'rm', 'made#'],
    ['profiles', 'rename', 'made#', 'makes#'],
    ['profiles', 'rename', 'makes#', 'made#', '--json'],
    ['profiles', 'rm', 'made#', '--replace-by', 'zeta', '--dry-run'],
    ['profiles', 'rm', 'made#', '--replace-by', 'zeta'],
    ['profiles', 'add', 'made#', 'inherits=zeta'],
    ['profiles', 'rm', 'made#'],
    ['mirrors', 'add', 'm/#', 'url=http://127.0.0.1:9/y/'],
    ['mirrors', 'set', 'm/#', 'schedule=every 24h'],
    ['mirrors', 'rm', 'm/#'],
    ['accounts', 'add', 'ben#', '--role', 'viewer', '--password-file', 'password'],
    ['accounts', 'set', 'ben#', '--role', 'operator'],
    ['accounts', 'set', 'ben#', '--disable', '--json'],
    ['accounts', 'set', 'ben#'],
    ['accounts', 'sessions', 'ben#'],
    ['accounts', 'sessions', 'ben#', '--end'],
    ['accounts', 'rm', 'ben#'],
    ['tokens', 'rm', 'nothing#'],
  ]
  test('of changes, which do the same', async () => {
    const named = (words: readonly string[], id: string): string[] =>
      words.map((word) => word.replaceAll('#', id))
    const shown = ({ code, out, err }: CliResult, id: string): CliResult => {
      const same = (text: string): string =>
        text
          // The letters of a temporary folder's name are anything.
          .replaceAll(home.path, 'HERE')
          .replaceAll(elsewhere.path, 'HERE')
          .replaceAll(
            new RegExp(
              `\\b(news?|arm|odd|bad|made|makes|usr|adp|adx|pub|ben|nothing|hosts|impw?|00:0)${id}`,
              'g',
            ),
            '$1#',
          )
          .replaceAll(new RegExp(`(m/|[UXYZ]|192\\.0\\.2\\.1)${id}`, 'g'), '$1#')
          .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::[\d.]+Z?)?/g, 'TIME')
          .replaceAll(/"\\"[0-9a-f]{20,}\\""/g, 'TAG')
      return { code, out: same(out), err: same(err) }
    }
    for (const words of changes) {
      const here = await beside(...named(words, '7'))
      const remote = await there(...named(words, '8'))
      expect(shown(remote, '8'), words.join(' ')).toEqual(shown(here, '7'))
    }
  }, 60_000)
})

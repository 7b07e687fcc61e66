import { join } from 'node:path'
import request from 'supertest'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { type CliResult, treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/** Guests whose installer could only fail: none is sent into it, and everybody hears why. */

const macs: Readonly<Record<string, string>> = {
  good: '52-54-00-aa-bb-01',
  bad: '52-54-00-aa-bb-02',
  gone: '52-54-00-aa-bb-03',
  bare: '52-54-00-aa-bb-04',
  netboot: '52-54-00-aa-bb-05',
  mirrored: '52-54-00-aa-bb-06',
  disk: '52-54-00-aa-bb-07',
  live: '52-54-00-aa-bb-08',
  coreos: '52-54-00-aa-bb-09',
  netinst: '52-54-00-aa-bb-0a',
  elsewhere: '52-54-00-aa-bb-0b',
}
const config = `${httpOnly}
guests:
  good: { mac: ${macs.good}, tree: fedora-40, template: web.ks }
  bad: { mac: ${macs.bad}, tree: fedora-40, template: bad.ks }
  gone: { mac: ${macs.gone}, tree: fedora-40, template: gone.ks }
  bare: { mac: ${macs.bare}, template: source.ks }
  netboot: { mac: ${macs.netboot}, tree: debian-12, template: own.preseed }
  mirrored: { mac: ${macs.mirrored}, tree: debian-12, template: own.preseed, vars: { mirror: /debian } }
  disk: { mac: ${macs.disk}, tree: fedora-40, template: bad.ks, virt: { network: br0 } }
  live: { mac: ${macs.live}, tree: noble }
  coreos: { mac: ${macs.coreos}, tree: fedora-coreos-40 }
  netinst: { mac: ${macs.netinst}, tree: rocky-9-boot, template: source.ks }
  elsewhere: { mac: ${macs.elsewhere}, tree: rocky-9-boot, template: source.ks, args: ["inst.repo=http://192.0.2.9/os/"] }
`
/** Its message has what each loader's language would read as its own. */
const badTemplate = `ok\n{{ 'x' | regex_search('y') | mandatory("it's \${net0/mac} || exit && $root; \\"{x}") }}\n`
const coreosFile = (name: string) => `trees/fedora-coreos-40/fedora-coreos-40-live-${name}`
const netinst = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', 'images/install.img']
const preseed = `d-i mirror/http/directory string {{ mirror | default(tree.path) }}\n`

const home = keptFolder()
let app: App
let base: string

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  for (const file of ['linux', 'initrd.gz'])
    writeBelow(home.path, `trees/debian-12/debian-installer/amd64/${file}`, file)
  for (const file of ['casper/vmlinuz', 'casper/initrd', 'casper/minimal.squashfs'])
    writeBelow(home.path, `trees/noble/${file}`, file)
  for (const name of ['kernel-x86_64', 'initramfs.x86_64.img']) writeBelow(home.path, coreosFile(name), name)
  for (const file of netinst) writeBelow(home.path, `trees/rocky-9-boot/${file}`, file)
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', 'web {{ guest.name }}\n')
  writeBelow(home.path, 'kickstart-templates/bad.ks', badTemplate)
  writeBelow(home.path, 'kickstart-templates/own.preseed', preseed)
  writeBelow(home.path, 'kickstart-templates/source.ks', '{{ install_source }}\n')
  app = testApp(home.path)
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
  await eventually(() =>
    expect(app.snapshot().trees.all.map(({ state }) => state)).toEqual(Array(5).fill('ready')),
  )
}, 20_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

const get = (path: string) => request(base).get(path)
const screenOf = async (guest: string, loader: keyof typeof paths): Promise<string> =>
  (await get(paths[loader](macs[guest] ?? '')).expect(200)).text
const paths = {
  ipxe: (mac: string) => `/boot/by/${mac}/00000000-0000-4000-8000-000000000000/ipxe`,
  grub: (mac: string) => `/grub.cfg-01-${mac}`,
  pxelinux: (mac: string) => `/pxelinux.cfg/01-${mac}`,
}

const reasons = {
  bad: 'bad.ks:2: filter mandatory: it\'s ${net0/mac} || exit && $root; "{x}',
  gone: 'gone.ks:1: this template does not exist',
  bare: 'it has no tree',
  netboot: 'tree debian-12 for packages, and the tree has none: set mirror_url',
  live: 'tree noble: its live system is mounted by NFS, and the nfs service is closed: open it',
  coreos:
    'tree fedora-coreos-40: it lacks its root file system (fedora-coreos-40-live-rootfs.x86_64.img): copy',
  netinst: 'tree rocky-9-boot for packages, and the tree has none: take a tree with packages',
} as const
type Doomed = keyof typeof reasons
const doomed = Object.keys(reasons) as Doomed[]

/** What ends a word or a command in the language of each loader, as `render/quote.ts` writes it. */
const inItsLanguage = {
  ipxe: (text: string) =>
    text.replaceAll('${', '$ {').replaceAll('||', '${bar}|').replaceAll('&&', '${amp}&'),
  grub: (text: string) => text.replaceAll("'", "'\\''"),
  pxelinux: (text: string) => text,
}

describe.each(doomed)('a guest that cannot be installed: %s', (name) => {
  const why = reasons[name]

  test.each(['ipxe', 'grub', 'pxelinux'] as const)('is not sent into its installer by %s', async (loader) => {
    const text = await screenOf(name, loader)
    expect(text).not.toMatch(/vmlinuz|debian-installer|casper\/|live-kernel/)
    expect(text).toContain(inItsLanguage[loader](why))
  })

  test('is told by explain, the API, the commands, and the reply to the order', async () => {
    const told = async (path: string) => JSON.stringify((await get(path)).body)
    const escaped = JSON.stringify(why).slice(1, -1)
    expect(await told(`/api/v1/guests/${name}/explain`)).toContain(escaped)
    expect(await told(`/api/v1/guests/${name}`)).toContain(
      `"nextBoot":{"plan":"refuse","why":"guest ${name}: `,
    )
    expect(await told(`/api/v1/guests/${name}/plan?as=json`)).toContain(escaped)
    const found = await get(`/api/v1/lookup?guest=${name}`).expect(404)
    expect(found.body.message).toContain(why)
    await get(`/api/v1/lookup?g%75est=${name}&as=virt-install`).expect(404)
    await get(`/boot/${name}/virt-install.sh`).expect(503)
    for (const command of [
      ['explain', name],
      ['install', name],
      ['guests', 'show', name],
    ])
      expect((await treeboot(...command)).out).toContain(why)
    expect((await treeboot('install', name)).out).not.toContain(', once')
    expect((await treeboot('render', name, '--as', 'libvirt')).err).toContain(why)
  })
})

/** The problems of guests that cannot be installed, as the API tells them. */
async function messages(): Promise<string[]> {
  const { body } = await get('/api/v1/problems')
  const all: string[] = body.items.map(({ message }: { message: string }) => message)
  return all.filter((message) => message.includes('cannot be installed'))
}

const treeboot = (...args: string[]): Promise<CliResult> => treebootIn(home.path, ...args)

test('a guest whose answer file can be made goes into its installer, by every way', async () => {
  for (const loader of ['ipxe', 'grub', 'pxelinux'] as const)
    expect(await screenOf('good', loader)).toContain('vmlinuz')
  expect(await screenOf('mirrored', 'grub')).toContain('debian-installer')
  expect((await get('/api/v1/lookup?guest=good').expect(200)).body.tree.id).toBe('fedora-40')
  expect((await get('/api/v1/guests/good')).body.nextBoot).toEqual({ plan: 'install', why: null })
  expect((await treeboot('install', 'good')).out).toMatch(/its next network boot installs fedora-40, once\n/)
})

test('a guest that boots its own disk does so, whatever its template is', async () => {
  await treeboot('local', 'disk')
  expect(await screenOf('disk', 'grub')).toMatch(/^echo 'treeboot: disk (?:.(?!bad\.ks))*'/)
})

test('the answer file of a failing template is an error in words, for machines and people', async () => {
  for (const file of ['/ks/bad', '/ks/bad/user-data']) {
    const { text, headers } = await get(file).expect(500)
    expect(text).toBe(`${reasons.bad}\n`)
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
  }
  const page = await get('/ks/bad').set('Accept', 'text/html').expect(500)
  expect(page.text).toContain(
    'bad.ks:2: filter mandatory: it&#39;s ${net0/mac} || exit &#38;&#38; $root; &#34;{x}',
  )
  expect(page.text).not.toContain(home.path)
  await request(base).head('/ks/bad').expect(500)
})

test('problems and the front page name the guests before a machine asks', async () => {
  const found = [
    expect.stringContaining(
      'guest bad and 1 more cannot be installed: its answer file cannot be made: bad.ks:2',
    ),
    expect.stringContaining('guest gone cannot be installed'),
    expect.stringContaining('guest bare cannot be installed'),
    expect.stringContaining('guest netboot cannot be installed: its answer file sends the installer to tree'),
    expect.stringContaining('guest live cannot be installed: tree noble: its live system is mounted by NFS'),
    expect.stringContaining('guest coreos cannot be installed: tree fedora-coreos-40: it lacks its root'),
    expect.stringContaining('guest netinst cannot be installed: its answer file sends the installer to tree'),
  ]
  await eventually(async () => expect(await messages()).toEqual(found))
  const { text } = await get('/').expect(200)
  expect(text).toMatch(/refused: its answer file cannot be made: bad\.ks:2/)
  const { out } = await treeboot('check')
  for (const message of [...(await messages()), 'guest bare has no tree', 'write bridge=br0 for'])
    expect(out).toContain(message)
  expect(out).toMatch(
    /guest bare cannot be installed: .*install_source is not defined \(only a guest with a tree/,
  )
})

test('a repository that the guest names is where its kickstart sends it', async () => {
  const { text } = await get('/ks/elsewhere').expect(200)
  expect(text).toBe('url --url=http://192.0.2.9/os/\n')
  expect(await screenOf('elsewhere', 'grub')).toContain('inst.repo=http://192.0.2.9/os/')
})

test('a tree that gets the file which it lacked installs its guests', async () => {
  writeBelow(home.path, coreosFile('rootfs.x86_64.img'), 'rootfs')
  await eventually(async () =>
    expect(await screenOf('coreos', 'grub')).toContain('fedora-coreos-40-live-rootfs.x86_64.img'),
  )
  await eventually(async () => expect((await messages()).join()).not.toContain('root file system'))
})

describe('a template that is mended', () => {
  beforeEach(() => writeBelow(home.path, 'kickstart-templates/bad.ks', 'fine\n'))

  test('installs its guests, without a restart, and the problem is gone', async () => {
    await eventually(async () => expect(await screenOf('bad', 'grub')).toContain('vmlinuz'))
    await eventually(async () => expect((await messages()).join()).not.toContain('bad.ks:2'))
    await get('/ks/bad').expect(200)
  })
})

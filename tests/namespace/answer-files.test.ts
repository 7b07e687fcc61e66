import { afterAll, describe, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import { Failure } from '../../server/core/failure.ts'
import type { Requester } from '../../server/core/net/requester.ts'
import { cleanPath } from '../../server/files/path.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { answerFilesSource } from '../../server/namespace/answer-files.ts'
import { Answers, type AnswersOptions } from '../../server/namespace/answers.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { guestWith, rocky9, snapshotWith, urls } from '../support/answers.ts'

const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const templates = new Map([
  ['a.ks', 'I am {{ guest.name }} at {{ server.http }}\n'],
  ['broken.ks', 'fine\n{{ nope }}\n'],
])
const plain = guestWith('a.ks', { hostname: 'web01.example' })
const { template: _none, ...without } = guestWith('a.ks').settings
const guests = [
  plain,
  guestWith('broken.ks', {}, { name: 'bad', macs: [] }),
  guestWith('gone.ks', {}, { name: 'gone', macs: [] }),
  { ...guestWith('a.ks'), name: 'bare', macs: [], settings: without },
  guestWith(
    'a.ks',
    {},
    { name: 'db', macs: [], uuid: '4c4c4544-0042-3510-8051-b4c04f573032', ip: '10.0.0.9' },
  ),
]
const given = snapshotWith(guests, templates)
const who: Requester = { protocol: 'http', address: '192.0.2.1' }

type Wishes = Partial<AnswersOptions> & { readonly snapshot?: () => Snapshot }

function source({ snapshot = () => given, ...more }: Wishes = {}) {
  const answers = new Answers({ renderer, facts: () => ({ tree: rocky9, urls }), ...more })
  const files = answerFilesSource({ snapshot, answers, machines: noMachines })
  return mountTable([{ at: cleanPath('/ks'), source: files, why: 'answer files' }])
}

async function text(path: string, from: Requester = who, more: Wishes = {}): Promise<string | undefined> {
  const entry = await source(more).stat(cleanPath(path), from)
  return entry?.kind === 'file' ? Buffer.from(entry.content ?? []).toString() : entry?.kind
}

const mine = 'I am web01 at http://mirror.example:8080\n'

test('two clients that see two versions of one tree get two texts', async () => {
  const snapshot = snapshotWith(guests, new Map([['a.ks', '{{ tree.version }}']]))
  const inVersion = (version: number) => ({
    ...rocky9,
    version: `9.${version}`,
    release: { id: rocky9.id, version, folder: `/v/${version}` },
  })
  const seenBy = (who: Requester) => inVersion(who.address === '192.0.2.1' ? 1 : 2)
  const answers = answerFilesSource({
    snapshot: () => snapshot,
    answers: new Answers({ renderer, facts: (_guest, from) => ({ tree: seenBy(from), urls }) }),
    machines: noMachines,
  })
  const textFor = async (address: string) => {
    const entry = await answers.stat(cleanPath('/web01'), { ...who, address })
    return Buffer.from(entry?.content ?? []).toString()
  }
  expect([await textFor('192.0.2.1'), await textFor('192.0.2.2')]).toEqual(['9.1', '9.2'])
})

describe('an answer file', () => {
  test.each<[string, string, Partial<Requester>, string | undefined]>([
    ['by name', '/ks/web01', {}, mine],
    ['by MAC', '/ks', { macs: ['aa:aa:aa:aa:aa:aa', '52-54-00-AA-BB-01'] }, mine],
    [
      'by UUID in the other byte order',
      '/ks',
      { uuid: '44454c4c-4200-1035-8051-b4c04f573032' },
      'I am db at http://mirror.example:8080\n',
    ],
    ['by address', '/ks', { address: '10.0.0.9' }, 'I am db at http://mirror.example:8080\n'],
    ['of nobody we know: only the folder', '/ks', {}, 'folder'],
    ['of a machine that mounts the folder', '/ks', { protocol: 'nfs', address: '10.0.0.9' }, 'folder'],
    ['of a client that goes through the folder', '/ks', { protocol: 'ftp', address: '10.0.0.9' }, 'folder'],
    ['of a guest that is not there', '/ks/nobody', {}, undefined],
    ['of a guest without a template', '/ks/bare', {}, undefined],
    ['for cloud-init', '/ks/web01/user-data', {}, mine],
    [
      'cloud-init: meta-data',
      '/ks/web01/meta-data',
      {},
      'instance-id: "web01"\nlocal-hostname: "web01.example"\n',
    ],
    ['cloud-init: what may be empty', '/ks/web01/vendor-data', {}, ''],
    ['cloud-init: what may be empty', '/ks/web01/network-config', {}, ''],
    ['cloud-init: of nobody', '/ks/nobody/meta-data', {}, undefined],
    ['another file', '/ks/web01/etc', {}, undefined],
    ['deeper', '/ks/web01/user-data/x', {}, undefined],
  ])('%s: %s', async (_name, path, from, expected) => {
    expect(await text(path, { ...who, ...from })).toBe(expected)
  })

  test('that fails is an error with template and line, never half a file', async () => {
    await expect(text('/ks/bad')).rejects.toThrow(/^broken\.ks:2: the variable nope is not defined/)
    await expect(text('/ks/gone')).rejects.toThrow(/^gone\.ks:1: this template does not exist/)
  })

  test('is refused for the reason that the plan gives', async () => {
    const facts = () => new Failure('unavailable', 'fedora-40 is still incoming')
    await expect(text('/ks/web01', who, { facts })).rejects.toThrow('fedora-40 is still incoming')
  })

  test('is the same entry for HEAD and GET, and a new one when its text changes', async () => {
    let snapshot = snapshotWith(guests, templates)
    const answers = source({ snapshot: () => snapshot })
    const path = cleanPath('/ks/web01')
    const first = await answers.stat(path, who)
    const again = await answers.stat(path, who)
    expect([again?.etag, again?.modifiedMs]).toEqual([first?.etag, first?.modifiedMs])
    const generation = 2
    snapshot = snapshotWith(guests, new Map([['a.ks', 'new']]), generation)
    const second = await answers.stat(path, who)
    expect(second?.etag).not.toBe(first?.etag)
    expect(second?.size).toBe('new'.length)
  })

  test('is rendered once for each way to reach us, also when it failed', async () => {
    const seen: string[] = []
    const counting = {
      render: (job: Parameters<TemplateRenderer['render']>[0]) => {
        seen.push(job.name)
        return renderer.render(job)
      },
    } as TemplateRenderer
    let host = 'http://a.example'
    const answers = source({ renderer: counting, facts: () => ({ urls: { http: host } }) })
    const get = async (path: string) => answers.stat(cleanPath(path), who).catch(() => undefined)
    await get('/ks/web01')
    await get('/ks/web01')
    host = 'http://b.example'
    await get('/ks/web01')
    await get('/ks/bad')
    await get('/ks/bad')
    expect(seen).toEqual(['a.ks', 'a.ks', 'broken.ks'])
  })

  test('tells the operator once what looks wrong', async () => {
    const told: string[] = []
    const snapshot = snapshotWith([guestWith('w.ks', { tree: 'mine' })], new Map([['w.ks', 'a\r\n']]))
    const answers = source({ snapshot: () => snapshot, onWarnings: (_guest, lines) => told.push(...lines) })
    await answers.stat(cleanPath('/ks/web01'), who)
    await answers.stat(cleanPath('/ks/web01'), who)
    expect(told).toEqual([
      expect.stringContaining('vars.tree of guest web01 (config.yaml:21) has the name of something built in'),
      expect.stringContaining('w.ks:1: lines end in CR LF'),
    ])
  })
})

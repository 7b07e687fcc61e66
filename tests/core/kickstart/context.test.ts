import { describe, expect, test } from 'vitest'
import { answerContext } from '../../../server/core/kickstart/context.ts'
import { treeRepositories } from '../../../server/core/kickstart/repositories.ts'
import { renderInstallSource, renderRepoLines } from '../../../server/render/kickstart.ts'
import { guestWith, rocky9, treeWith, urls } from '../../support/answers.ts'
import { stating } from '../../support/stating.ts'

const base = 'http://mirror.example:8080/trees/rocky/9'

describe('the context of an answer file', () => {
  test('has the facts of guest, tree and server, and the vars', () => {
    const guest = guestWith(
      'a.ks',
      { disk: 'vda' },
      { uuid: '4c4c4544-0042-3510-8051-b4c04f573032', serial: 'S1', ip: '10.0.0.7' },
    )
    const { context, problems } = answerContext({ guest, tree: rocky9, urls })
    expect(problems).toEqual([])
    expect(context).toMatchObject({
      guest: {
        name: 'web01',
        mac: '52:54:00:aa:bb:01',
        macs: ['52:54:00:aa:bb:01'],
        serial: 'S1',
        ip: '10.0.0.7',
      },
      profile: 'web',
      profiles: ['web', 'base'],
      virt: { hypervisor: 'kvm', memory: 2048 },
      tree: {
        id: 'rocky/9/BaseOS/x86_64/os',
        distro: 'rocky',
        version: '9.4',
        major: 9,
        url: `${base}/BaseOS/x86_64/os`,
      },
      base_repo: { id: 'BaseOS' },
      server: {
        http: 'http://mirror.example:8080',
        host: 'mirror.example',
        port: 8080,
        ftp: 'ftp://mirror.example',
      },
      ks_url: 'http://mirror.example:8080/ks/web01',
      report_url: 'http://mirror.example:8080/api/v1/guests/web01/installed',
      vars: { disk: 'vda' },
      disk: 'vda',
    })
  })

  test('a var with a built-in name stays below vars, and is reported', () => {
    const { context, problems } = answerContext({ guest: guestWith('a.ks', { guest: 1, tree: 2 }), urls })
    expect(context).toMatchObject({ guest: { name: 'web01' }, vars: { guest: 1, tree: 2 } })
    expect(problems).toEqual([
      expect.stringMatching(stating('vars.guest', 'web01', 'config.yaml:21')),
      expect.stringMatching(stating('vars.tree', 'web01', 'config.yaml:21')),
    ])
  })

  test('what a guest lacks is undefined, so that a template cannot use it by mistake', () => {
    const { context } = answerContext({
      guest: guestWith('a.ks', {}, { macs: [] }),
      urls: { http: 'https://m.example' },
    })
    expect(Object.keys(context.guest as object)).toEqual(['name', 'macs', 'retry'])
    expect(context).not.toHaveProperty('tree')
    expect(context.server).toEqual({ http: 'https://m.example', host: 'm.example', port: 443 })
  })

  test('a rolling release is newer than any number', () => {
    const { context } = answerContext({
      guest: guestWith('a.ks'),
      tree: treeWith({ version: 'rawhide' }),
      urls,
    })
    expect(context.tree).toMatchObject({ major: 999 })
  })
})

describe('the repositories of a tree', () => {
  test('siblings are joined and normalised as anaconda does', () => {
    expect(treeRepositories(rocky9, urls.http).all.map(({ id, url }) => [id, url])).toEqual([
      ['BaseOS', `${base}/BaseOS/x86_64/os`],
      ['AppStream', `${base}/AppStream/x86_64/os`],
      ['HighAvailability', `${base}/HighAvailability/x86_64/os`],
    ])
  })

  test('a full DVD has its base in a folder', () => {
    const tree = treeWith({
      id: 'dvd',
      repositories: [
        { id: 'AppStream', name: '', kind: 'variant', path: 'AppStream' },
        { id: 'BaseOS', name: '', kind: 'variant', path: './BaseOS' },
      ],
    })
    expect(treeRepositories(tree, '').base).toEqual({
      id: 'BaseOS',
      name: 'BaseOS',
      kind: 'variant',
      url: '/trees/dvd/BaseOS',
    })
  })

  test('a repository outside of trees/ is left out', () => {
    const tree = treeWith({ repositories: [{ id: 'x', name: '', kind: 'variant', path: '../../../etc' }] })
    expect(treeRepositories(tree, '')).toEqual({ all: [] })
  })
})

describe('kickstart lines', () => {
  test.each([
    [
      'http',
      'url --url=http://mirror.example:8080/trees/rocky/9/BaseOS/x86_64/os',
      `repo --name=AppStream --baseurl=${base}/AppStream/x86_64/os`,
    ],
    [
      'ftp',
      'url --url=ftp://mirror.example/trees/rocky/9/BaseOS/x86_64/os',
      'repo --name=AppStream --baseurl=ftp://mirror.example/trees/rocky/9/AppStream/x86_64/os',
    ],
    [
      'nfs',
      'nfs --server=mirror.example --dir=/trees/rocky/9/BaseOS/x86_64/os',
      `repo --name=AppStream --baseurl=${base}/AppStream/x86_64/os`,
    ],
  ] as const)('by %s', (source, install, repo) => {
    expect(renderInstallSource(rocky9, urls, source)).toBe(install)
    expect(renderRepoLines(rocky9, urls, source)).toEqual([repo])
  })

  test('NFS on other ports adds them as mount options', () => {
    const nfs = { host: '10.0.0.1', options: 'nfsvers=3,port=12049,mountport=12049' }
    expect(renderInstallSource(treeWith({}), { ...urls, nfs }, 'nfs')).toBe(
      'nfs --server=10.0.0.1 --dir=/trees/fedora-40 --opts=nfsvers=3,port=12049,mountport=12049',
    )
  })

  test('a service that is off is named, with the setting to change', () => {
    expect(() => renderInstallSource(rocky9, { http: 'http://m' }, 'nfs')).toThrow(
      stating('nfs', 'nfs.enabled'),
    )
    expect(() => renderRepoLines(rocky9, { http: 'http://m' }, 'ftp')).toThrow(stating('ftp', 'ftp.enabled'))
  })
})

test('packages and repositories of a boot-only tree are those of its upstream', () => {
  const tree = { ...rocky9, upstream: 'https://up.example/9/BaseOS/x86_64/os/' }
  expect(renderInstallSource(tree, urls, 'nfs')).toBe('url --url=https://up.example/9/BaseOS/x86_64/os/')
  expect(treeRepositories(tree, urls.http).all.map(({ url }) => url)).toEqual(
    expect.arrayContaining([
      'https://up.example/9/BaseOS/x86_64/os',
      'https://up.example/9/AppStream/x86_64/os',
    ]),
  )
})

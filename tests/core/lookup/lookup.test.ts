import { describe, expect, test } from 'vitest'
import { failureKind, failureMessage } from '../../../server/core/failure.ts'
import { type LookupResult, lookup, lookupResultJson } from '../../../server/core/lookup/lookup.ts'
import { parseLookupQuery } from '../../../server/core/lookup/query.ts'
import { fedora9, fedora40, makeGuest, makeInputs, makeTree } from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

const fedora39 = makeTree('fedora/39/x86_64', { version: '39' })
const guests = [
  makeGuest('web01', { tree: fedora40, template: 'fedora.ks', args: ['console=ttyS0'] }),
  makeGuest('pv01', { tree: fedora9, macs: ['52:54:00:00:00:02'], virt: { type: 'pv' } }),
  makeGuest('treeless', { macs: [] }),
]
const inputs = makeInputs([fedora39, fedora9, fedora40], guests)
const ask = (params: Record<string, unknown>): LookupResult => lookup(parseLookupQuery(params), inputs)
const found = (params: Record<string, unknown>) => {
  const result = ask(params)
  if (!result.found) throw new Error(result.why)
  return lookupResultJson(result)
}

describe('the JSON of a result', () => {
  test('has exactly this shape', () => {
    const images = 'trees/fedora/40/x86_64/images/pxeboot'
    expect(found({ guest: 'web01' })).toEqual({
      tree: { id: 'fedora/40/x86_64', family: 'Fedora', version: '40', variant: 'Server', arch: 'x86_64' },
      virt: 'hvm',
      platform: 'x86_64',
      kernel: {
        path: 'images/pxeboot/vmlinuz',
        url: `http://192.0.2.1:8080/${images}/vmlinuz`,
        tftp: `tftp://192.0.2.1/${images}/vmlinuz`,
        size: 14_000_000,
        sha256: 'ab'.repeat(32),
      },
      initrd: {
        path: 'images/pxeboot/initrd.img',
        url: `http://192.0.2.1:8080/${images}/initrd.img`,
        tftp: `tftp://192.0.2.1/${images}/initrd.img`,
        size: 160_000_000,
        sha256: 'cd'.repeat(32),
      },
      args: [
        'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64',
        'ip=dhcp',
        'inst.ks=http://192.0.2.1:8080/ks/web01',
        'console=ttyS0',
      ],
      cmdline:
        'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ip=dhcp inst.ks=http://192.0.2.1:8080/ks/web01 console=ttyS0',
      location: 'http://192.0.2.1:8080/trees/fedora/40/x86_64',
      others: [],
      notes: [],
    })
  })
  test('of a tree whose live system no service has, is found with a note; a guest of it is refused', () => {
    const live = makeTree('noble', {
      distro: 'ubuntu',
      version: '24.04',
      platforms: { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } },
    })
    const closed = {
      ...makeInputs([live], [makeGuest('u', { tree: live })]),
      urls: { http: inputs.urls.http },
    }
    const of = (params: Record<string, unknown>) => lookup(parseLookupQuery(params), closed)
    const tree = of({ tree: 'noble' })
    expect(tree.found && lookupResultJson(tree).notes).toEqual([
      expect.stringMatching('nfs service is closed'),
    ])
    expect(of({ guest: 'u' })).toMatchObject({
      found: false,
      why: expect.stringMatching('nfs service is closed'),
    })
  })
  test('has null for unknown values', () => {
    const onlyHttp = { ...inputs, urls: { http: inputs.urls.http } }
    const result = lookup(parseLookupQuery({ guest: 'pv01' }), onlyHttp)
    expect(result.found && lookupResultJson(result).kernel).toEqual({
      path: 'images/xen/vmlinuz',
      url: 'http://192.0.2.1:8080/trees/f9-i386/images/xen/vmlinuz',
      tftp: null,
      size: null,
      sha256: null,
    })
  })
})

describe('finding', () => {
  test('by id, with or without slashes around it, and by traits; others are named', () => {
    expect(found({ tree: '/fedora/39/x86_64/' }).tree.version).toBe('39')
    expect(found({ distro: 'fedora', arch: 'x86_64' })).toMatchObject({
      tree: { id: 'fedora/40/x86_64' },
      others: ['fedora/39/x86_64'],
    })
  })
  test('by guest name, by MAC in any spelling, and by virt', () => {
    expect(found({ mac: '52-54-00-AA-BB-01' }).args).toContain('console=ttyS0')
    expect(found({ guest: 'pv01' }).platform).toBe('xen')
    expect(found({ guest: 'pv01', virt: 'hvm' }).platform).toBe('i386')
    expect(found({ tree: 'f9-i386', virt: 'pv' }).kernel.path).toBe('images/xen/vmlinuz')
  })
  test('a guest may be looked up on a tree that is not its own', () => {
    expect(found({ guest: 'web01', tree: 'f9-i386' }).args).toContain('ks=http://192.0.2.1:8080/ks/web01')
  })
  test('without a match, the result has the reason and the nearest names', () => {
    expect(ask({ tree: 'fedora/41' })).toMatchObject({
      found: false,
      nearest: ['fedora/39/x86_64', 'f9-i386', 'fedora/40/x86_64'],
    })
    expect(ask({ guest: 'web10' })).toEqual({
      found: false,
      why: expect.stringMatching(stating('web10', 'config.yaml')),
      nearest: ['web01'],
    })
    expect(ask({ guest: 'treeless' })).toMatchObject({
      found: false,
      why: expect.stringContaining('it has no tree'),
    })
    expect(ask({ mac: '00:00:00:00:00:00' })).toMatchObject({ found: false, nearest: [] })
  })
})

describe('a malformed query is a bad request, unlike a query that finds nothing', () => {
  test.each<[Record<string, unknown>, ...(string | number)[]]>([
    [{}],
    [{ tree: '' }],
    [{ as: 'json' }],
    [{ tre: 'x' }, 'tre', 'tree'],
    [{ distro: 'fedora', virt: 'xen' }, 'virt=xen', 'hvm', 'pv'],
    [{ mac: 'zz' }, 'mac=zz'],
    [{ uuid: '1234' }, 'uuid=1234', 'UUID'],
    [{ tree: ['a', 'b'] }, 'tree'],
    [{ tree: 'a', version: '40' }, 'tree=a', 'version'],
    [{ tree: 'x'.repeat(513) }, 'tree', 513, 512],
    [{ constructor: '1' }, 'constructor'], // every object has this name
  ])('%j', (params, ...facts) => {
    try {
      parseLookupQuery(params)
      expect.unreachable()
    } catch (error) {
      expect(failureMessage(error)).toMatch(stating(...facts))
      expect(failureKind(error)).toBe('bad-request')
    }
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import type { ReleaseId } from '../../server/core/guest/state.ts'
import type { Requester } from '../../server/core/net/requester.ts'
import { VersionViews } from '../../server/machines/views.ts'

const version = (number: number): ReleaseId => ({ id: 'f40', version: number })
const [old, now] = [version(1), version(2)]
const descriptor = '/.treeinfo'
const kernel = '/images/pxeboot/vmlinuz'
const initrd = '/images/pxeboot/initrd.img'

let clockMs: number
let bound: Map<string, ReleaseId>
let views: VersionViews

beforeEach(() => {
  clockMs = 1_000_000
  bound = new Map()
  views = new VersionViews({ bound: (address) => bound.get(address), clock: () => clockMs })
})

const client = (address = '10.0.0.7', more: Partial<Requester> = {}): Requester => ({
  protocol: 'http',
  address,
  ...more,
})
/** The versions in which a client fetches these paths, while `current` is the newest. */
const see = (who: Requester, current: ReleaseId, ...paths: string[]): number[] =>
  paths.map((path) => {
    const seen = views.versionFor(who, current, path)
    views.fetched(who, { release: { id: current.id, version: seen }, path, transferMs: 0 })
    return seen
  })
const connection = () => ({ readyState: 'open' })

describe('a client in the middle of a tree', () => {
  test('goes on with the version that it began with', () => {
    see(client(), old, descriptor, kernel)
    expect(see(client(), now, initrd, '/Packages/a.rpm')).toEqual([1, 1])
  })
  test('sees another tree as everyone does', () => {
    see(client(), old, descriptor, kernel)
    expect(see(client(), { ...now, id: 'other' }, initrd)).toEqual([2])
  })
  test('is alone in that: whoever comes now sees the newest', () => {
    see(client(), old, descriptor, kernel)
    expect(see(client('10.0.0.8'), now, descriptor, kernel)).toEqual([2, 2])
  })
  test('begins anew when it reads a descriptor again, and is then in the middle of the newer one', () => {
    see(client(), old, descriptor, kernel)
    expect(see(client(), now, descriptor, kernel)).toEqual([2, 2])
    expect(see(client(), version(3), initrd)).toEqual([2])
  })
  test('does not begin anew by asking for an image again, as every HEAD and GET and every range does', () => {
    see(client(), old, descriptor, kernel)
    expect(see(client(), now, kernel, kernel)).toEqual([1, 1])
  })
  test('that met one file only has nothing that could disagree with a newer one', () => {
    see(client(), old, kernel)
    expect(see(client(), now, kernel)).toEqual([2])
  })
  test('begins anew after half a minute without anything new', () => {
    see(client(), old, descriptor, kernel)
    clockMs += 20_000
    expect(see(client(), now, initrd)).toEqual([1])
    clockMs += 30_000
    expect(see(client(), now, '/Packages/a.rpm')).toEqual([1])
    clockMs += 30_001
    expect(see(client(), now, '/Packages/b.rpm')).toEqual([2])
  })
  test('cannot wait for the next version and keep the old one by that', () => {
    see(client(), old, descriptor, kernel, initrd)
    const seen: number[] = []
    for (let step = 0; step < 40; step++) {
      clockMs += 1000
      seen.push(...see(client(), now, kernel))
    }
    expect(seen.at(0)).toBe(1)
    expect(seen.at(-1)).toBe(2)
  })
  test('is not taken for gone during a long transfer', () => {
    see(client(), old, descriptor, kernel)
    clockMs += 300_000
    views.transferred('10.0.0.7', 300_000)
    expect(see(client(), now, initrd)).toEqual([1])
  })
  test('that asks the lookup begins anew, and then fetches what it was told of', () => {
    see(client(), old, descriptor, kernel)
    views.lookedUp(client())
    expect(views.versionsOf(client())).toEqual(new Map())
    // As `Machines.namedVersion` notes what the lookup named.
    see(client(), now, '/lookup')
    expect(see(client(), version(3), kernel)).toEqual([2])
  })
  test('has its versions in the lookup, too', () => {
    see(client(), old, descriptor, kernel)
    expect(views.versionsOf(client())).toEqual(new Map([['f40', 1]]))
    expect(views.versionsOf(client('10.0.0.8'))).toEqual(new Map())
    clockMs += 30_001
    expect(views.versionsOf(client())).toEqual(new Map())
  })
})

test('asking changes nothing, however often', () => {
  see(client(), old, descriptor, kernel)
  for (const path of [descriptor, kernel, initrd, '/']) views.versionFor(client(), now, path)
  views.versionsOf(client())
  expect(see(client(), now, initrd)).toEqual([1])
  for (const path of [descriptor, kernel]) views.versionFor(client('10.0.0.8'), old, path)
  expect(see(client('10.0.0.8'), now, kernel)).toEqual([2])
})

test('a transfer that began before the client started over does not bring the old version back', () => {
  see(client(), old, descriptor, kernel)
  clockMs += 1000
  see(client(), now, descriptor)
  views.fetched(client(), { release: old, path: '/images/install.img', transferMs: 5000 })
  expect(see(client(), now, initrd)).toEqual([2])
})

describe('several clients behind one address', () => {
  test('that speak in turns are never sent on in their middle by one that begins', () => {
    const [a, b] = [
      client('10.0.0.1', { connection: connection() }),
      client('10.0.0.1', { connection: connection() }),
    ]
    see(a, old, descriptor, kernel)
    see(b, old, descriptor, kernel)
    views.lookedUp(b)
    expect(see(b, now, descriptor, kernel)).toEqual([1, 1])
    expect(see(a, now, initrd)).toEqual([1])
  })
  test('see the newest once they all pause', () => {
    const [a, b] = [
      client('10.0.0.1', { connection: connection() }),
      client('10.0.0.1', { connection: connection() }),
    ]
    see(a, old, descriptor, kernel)
    see(b, old, descriptor, kernel)
    clockMs += 30_001
    expect(see(a, now, descriptor)).toEqual([2])
  })
  test('are one client, when each connection ends before the next begins', () => {
    const first = connection()
    see(client('10.0.0.1', { connection: first }), old, descriptor, kernel)
    first.readyState = 'closed'
    expect(see(client('10.0.0.1', { connection: connection() }), now, descriptor, kernel)).toEqual([2, 2])
  })
})

describe('a machine that is being installed', () => {
  test('sees the version that it was offered, however long it pauses and whatever it reads again', () => {
    bound.set('10.0.0.7', { id: 'f40', version: 1 })
    expect(see(client(), now, descriptor, kernel)).toEqual([1, 1])
    clockMs += 3_600_000
    expect(see(client(), version(3), descriptor, initrd)).toEqual([1, 1])
    expect(views.versionsOf(client())).toEqual(new Map([['f40', 1]]))
    bound.clear()
    expect(see(client(), version(3), descriptor)).toEqual([3])
  })
})

describe('by other protocols', () => {
  test.each(['ftp', 'nfs'] as const)(
    '%s resumes a file by its name alone and must not get another',
    (protocol) => {
      see(client('10.0.0.7', { protocol }), old, kernel)
      expect(see(client('10.0.0.7', { protocol }), now, kernel)).toEqual([1])
    },
  )
  test('an NFS mount keeps its version as long as it reads, and asks for the root’s attributes meanwhile', () => {
    const nfs = client('10.0.0.7', { protocol: 'nfs' })
    see(nfs, old, '/', descriptor, kernel)
    for (let step = 0; step < 10; step++) {
      clockMs += 20_000
      expect(see(nfs, now, '/', kernel)).toEqual([1, 1])
    }
    clockMs += 30_001
    expect(see(nfs, now, '/')).toEqual([2])
  })
  test('the program itself sees what is current', () => {
    const itself = client('', { protocol: 'internal' })
    see(itself, old, descriptor, kernel)
    expect(see(itself, now, initrd)).toEqual([2])
  })
})

test('ten thousand addresses that never come back are forgotten', () => {
  for (let at = 0; at <= 10_000; at++) see(client(`10.1.${at >> 8}.${at & 255}`), old, descriptor, kernel)
  expect(views.versionsOf(client('10.1.0.0')).size).toBe(0)
  expect(views.versionsOf(client('10.1.0.1')).size).toBe(1)
})

import { expect, test } from 'vitest'
import { planBoot } from '../../server/core/boot/plan-boot.ts'
import { serverUrls } from '../../server/core/boot/urls.ts'
import { formats, renderPlan } from '../../server/render/render.ts'
import { debian12, fedora40, leap15, makeGuest, makeInputs } from '../support/boot-inputs.ts'

/** What a machine gets that reached treeboot at an IPv6 address. */

const address = '2001:db8::1'
const urls = serverUrls({
  services: { http: { port: 8080 }, tftp: { port: 69 }, ftp: { port: 21 }, nfs: { port: 2049 } },
  who: { protocol: 'http', localAddress: address },
})
const trees = [fedora40, debian12, leap15]
const guests = [
  makeGuest('fedora', { tree: fedora40, template: 'fedora.ks' }),
  makeGuest('debian', { tree: debian12, template: 'preseed.cfg' }),
  makeGuest('leap', { tree: leap15, template: 'autoinst.xml' }),
  makeGuest('byftp', { tree: fedora40, template: 'fedora.ks', source: 'ftp' }),
  makeGuest('bynfs', { tree: fedora40, template: 'fedora.ks', source: 'nfs' }),
]
const inputs = { ...makeInputs(trees, guests), urls }

const cases = guests.flatMap(({ name }) => formats.map((format) => [name, format] as const))

test.each(cases)('%s as %s has every address in brackets', (name, format) => {
  const text = renderPlan(planBoot({ name }, inputs), format, { server: { http: urls.http } })
  const found = [...text.matchAll(/(.)2001:db8::1(.)/g)].map(([, before, after]) => `${before}${after}`)
  expect(new Set(found)).toEqual(found.length > 0 ? new Set(['[]']) : new Set())
  expect(found.length).toBeGreaterThan(0)
  expect(text).not.toContain('192.0.2.1')
})

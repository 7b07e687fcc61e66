import { describe, expect, test } from 'vitest'
import { type LookupRequest, LookupResponses } from '../../server/api/lookup-responses.ts'
import { type GuestState, newState } from '../../server/core/guest/state.ts'
import { fedora40, makeGuest, makeInputs, makeTree } from '../support/boot-inputs.ts'

const fedora39 = makeTree('fedora/39/x86_64', { version: '39' })
const guest = makeGuest('web01', { tree: fedora40, template: 'fedora.ks' })
const inputs = makeInputs([fedora39, fedora40], [guest])
const who = { protocol: 'http', address: '192.0.2.9', localAddress: '192.0.2.1' } as const

const ask = (
  responses: LookupResponses,
  query: string,
  { inputs: seen = inputs, current = seen, ...more }: Partial<LookupRequest> = {},
) => responses.respond({ query, who, inputs: seen, current, ...more })
const json = ({ body }: { body: Buffer }) => JSON.parse(body.toString())

describe('a lookup with a memory', () => {
  test('gives the same response to the same question', () => {
    const responses = new LookupResponses()
    const first = ask(responses, 'distro=fedora')
    expect(ask(responses, 'distro=fedora')).toBe(first)
    expect(json(first).tree.id).toBe('fedora/40/x86_64')
  })

  test('makes another one for a client that reaches us by another name', () => {
    const responses = new LookupResponses()
    ask(responses, 'distro=fedora')
    const elsewhere = {
      who: { ...who, host: 'other' },
      inputs: { ...inputs, urls: { http: 'http://other' } },
    }
    expect(json(ask(responses, 'distro=fedora', elsewhere)).location).toBe(
      'http://other/trees/fedora/40/x86_64',
    )
  })

  test('forgets everything when the snapshot changes', () => {
    const responses = new LookupResponses()
    ask(responses, 'distro=fedora')
    const { trees } = makeInputs([fedora39], [])
    expect(json(ask(responses, 'distro=fedora', { inputs: { ...inputs, trees } })).tree.id).toBe(
      'fedora/39/x86_64',
    )
  })

  test('is not used for a client that still sees an earlier version', () => {
    const responses = new LookupResponses()
    ask(responses, 'distro=fedora')
    const { trees } = makeInputs([fedora39], [])
    const earlier = { inputs: { ...inputs, trees }, current: inputs }
    expect(json(ask(responses, 'distro=fedora', earlier)).tree.id).toBe('fedora/39/x86_64')
    expect(json(ask(responses, 'distro=fedora')).tree.id).toBe('fedora/40/x86_64')
  })

  test('of a guest follows what the guest is installing', () => {
    const responses = new LookupResponses()
    const loose = makeGuest('web02', { macs: ['52:54:00:00:00:07'], template: 'fedora.ks' })
    // It names no single tree: the guest keeps the one that it is installing, though a newer one fits.
    const settings = { ...loose.settings, tree: { value: { distro: 'fedora' }, from: 'config.yaml:3' } }
    const ownInputs = makeInputs([fedora39, fedora40], [{ ...loose, settings }])
    let state: GuestState | undefined
    const seen = { ...ownInputs, stateOf: () => state }
    const treeOf = () => json(ask(responses, 'guest=web02', { inputs: seen })).tree.id
    expect(treeOf()).toBe('fedora/40/x86_64')
    const offer = {
      tree: fedora39.id,
      treeSetting: JSON.stringify({ distro: 'fedora' }),
      client: '192.0.2.9',
    }
    state = { ...newState, state: 'installing', sinceMs: 1, offers: [{ ...offer, firstMs: 1 }] }
    expect(treeOf()).toBe('fedora/39/x86_64')
    state = undefined
    expect(treeOf()).toBe('fedora/40/x86_64')
  })

  test('renders the format that is asked for', () => {
    const { contentType, body } = ask(new LookupResponses(), 'guest=web01&as=env')
    expect(contentType).toMatch(/^text\/plain/)
    expect(body.toString()).toContain('vmlinuz')
  })

  test('keeps no miss, and says what is nearest', () => {
    const responses = new LookupResponses()
    const miss = ask(responses, 'tree=fedora/41/x86_64')
    expect(miss.status).toBe(404)
    expect(json(miss)).toMatchObject({ error: 'not-found', nearest: expect.any(Array) })
    expect(ask(responses, 'tree=fedora/41/x86_64')).not.toBe(miss)
  })

  test.each([
    ['distor=fedora', 'distro'],
    ['tree=a&tree=b', 'tree'],
    ['tree=a&as=pdf', 'as=pdf'],
    ['as=json&as=env&tree=a', 'as='],
  ])('refuses %s and names the parameter', (query, named) => {
    const refused = () => ask(new LookupResponses(), query)
    expect(refused).toThrow(expect.objectContaining({ kind: 'bad-request' }))
    expect(refused).toThrow(named)
  })
})

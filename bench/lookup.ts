/**
 * Lookups a second on one core, from the query of a URL to the response's body, with 1,000 trees and 1,000 guests.
 * `npm run bench -- lookup`. We promise at least 10,000.
 */
import { LookupResponses } from '../server/api/lookup-responses.ts'
import { createGuestIndex } from '../server/core/guest/match.ts'
import { lookup, lookupResultJson } from '../server/core/lookup/lookup.ts'
import { parseLookupQuery } from '../server/core/lookup/query.ts'
import { internalRequester } from '../server/core/net/requester.ts'
import { createTreeIndex } from '../server/core/select/select.ts'
import { makeGuest, makeTree, urls } from '../tests/support/boot-inputs.ts'

const rounds = 5
/** How long each question is asked in each way, in each round. */
const measureMs = 200
const promisedRate = 10_000

/** 125 versions in two variants for four architectures. */
const trees = Array.from({ length: 1000 }, (_, at) => {
  const arch = ['x86_64', 'aarch64', 'ppc64le', 's390x'][at % 4] ?? 'x86_64'
  const version = String(1 + Math.floor(at / 8))
  const variant = at % 8 < 4 ? 'Server' : 'Workstation'
  const images = { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} }
  const id = `fedora/${version}/${variant}/${arch}`
  return makeTree(id, { version, variant, arch, platforms: { [arch]: images } })
})
const guests = Array.from({ length: 1000 }, (_, at) => {
  const [high, low] = [at >> 8, at & 0xff].map((byte) => byte.toString(16).padStart(2, '0'))
  const tree = trees[at % trees.length]?.id ?? ''
  return makeGuest(`web${at}`, {
    macs: [`52:54:00:00:${high}:${low}`],
    tree,
    template: 'fedora.ks',
    args: ['console=ttyS0,115200', 'inst.text'],
  })
})
const inputs = { trees: createTreeIndex(trees), guests: createGuestIndex(guests), urls }

const questions: Readonly<Record<string, (at: number) => Record<string, string>>> = {
  'tree by id': (at) => ({ tree: trees[at % 1000]?.id ?? '' }),
  'tree by traits': (at) => ({ distro: 'fedora', version: String(1 + (at % 125)), arch: 'x86_64' }),
  'newest of a distribution': () => ({ distro: 'fedora' }),
  'guest by MAC': (at) => ({ mac: guests[at % 1000]?.macs[0] ?? '' }),
  'a tree that is not there': (at) => ({ tree: `fedora/${at}` }),
}

const responses = new LookupResponses()
const who = internalRequester

/** With the memory of a running server, and each time from scratch. */
const ways: Readonly<Record<string, (params: Record<string, string>) => unknown>> = {
  served: (params) => {
    const query = Object.entries(params)
      .map((pair) => pair.join('='))
      .join('&')
    // `current` has the same trees: the client sees no earlier versions, so the response is cached.
    return responses.respond({ query, who, inputs, current: inputs }).body
  },
  scratch: (params) => {
    const result = lookup(parseLookupQuery(params), inputs)
    return JSON.stringify(result.found ? lookupResultJson(result) : result)
  },
}

/** Calls a second, asking the clock once in a hundred. `start`: the number of the first question. */
function rate(
  answer: (params: Record<string, string>) => unknown,
  ask: (at: number) => Record<string, string>,
  start: number,
): number {
  const began = performance.now()
  let calls = 0
  while (performance.now() - began < measureMs)
    for (const until = calls + 100; calls < until; calls++) answer(ask(start + calls))
  return calls / ((performance.now() - began) / 1000)
}

const best = new Map<string, number>()
for (let round = 0; round <= rounds; round++)
  for (const [question, ask] of Object.entries(questions))
    for (const [way, answer] of Object.entries(ways)) {
      // A million further in each round: the trees that are not there have new names.
      const found = rate(answer, ask, round * 1_000_000)
      const name = `${question.padEnd(26)} ${way.padEnd(8)}`
      // The first round warms up and does not count.
      if (round > 0) best.set(name, Math.max(best.get(name) ?? 0, found))
    }
for (const [name, found] of best) {
  const rounded = Math.round(found).toLocaleString('en').padStart(10)
  console.log(`${name} ${rounded} lookups/s  ${(found / promisedRate).toFixed(1)} x the floor`)
}

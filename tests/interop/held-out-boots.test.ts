import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { endsOf, heldOutFolder } from '../support/boots.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { happen } from '../support/lab/held-out.ts'
import { heldOutScenarios } from '../support/lab/held-out-scenarios.ts'
import { makeBench } from '../support/lab/lab.ts'

/**
 * Faults that really happen, and boots in which nothing is wrong, thought of without a look at the rules. The recordings are
 * in `tests/fixtures/held-out-boots` (RECORD_BOOTS=1 writes them anew), on which tests/timeline/held-out.test.ts stands.
 */
const nightly = process.env.EVERY_BOOT !== undefined

let bench: ReturnType<typeof makeBench>

beforeEach(() => {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'busybox', 'curl', 'atftp')
  bench = makeBench()
  return () => bench.undo.unwind()
})

describe.runIf(nightly)('held-out boots', () => {
  test.each(heldOutScenarios)('$name', async (scenario) => {
    const world = await happen(bench, scenario)
    const { about, client, origin, expected } = scenario
    const events = world.recorded()
    if (process.env.RECORD_BOOTS !== undefined) {
      mkdirSync(heldOutFolder, { recursive: true })
      const head = Object.entries({ about, client, origin, expected })
        .map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`)
        .join('')
      const lines = events.map((event) => `    ${JSON.stringify(event)}`).join(',\n')
      const file = join(heldOutFolder, `${scenario.name}.json`)
      writeFileSync(file, `{\n${head}  "events": [\n${lines}\n  ]\n}\n`)
    }
    expect(endsOf({ events })).toEqual(expected)
  })
})

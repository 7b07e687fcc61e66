import { readFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { progressLine } from '../../../server/cli/output/progress.ts'
import type { Retry } from '../../../server/intake/import/progress.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { connectionFailure } from '../../../server/intake/mirror/network-faults.ts'
import { TransientFailure } from '../../../server/intake/mirror/upstream.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { freePort } from '../../support/free-port.ts'
import { stating } from '../../support/stating.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

/** Mirrors a URL without any pause, and gives what was told meanwhile and how it ended. */
async function mirror(url: string): Promise<{ told: Retry[]; message: string }> {
  const told: Retry[] = []
  let nowMs = 0
  const fetching = {
    pause: async (ms: number) => {
      nowMs += ms
    },
    chance: () => 1,
    clock: () => nowMs,
  }
  const store = new VersionStore(temporaryFolder())
  const onRetry = (retry: Retry) => told.push(retry)
  const error: unknown = await mirrorTree(store, [url], { fetching, onRetry }).catch((thrown) => thrown)
  return { told, message: error instanceof Error ? error.message : 'no error' }
}

describe.each(['http', 'https', 'ftp'])('%s: nobody listens', (protocol) => {
  test('each pause is told, with the reason and its length', async () => {
    const port = await freePort()
    const { told, message } = await mirror(`${protocol}://127.0.0.1:${port}/f40/`)
    const refused = /the connection was refused \(connect ECONNREFUSED/
    expect(told.slice(0, 3).map(({ waitMs }) => waitMs)).toEqual([500, 1000, 2000])
    for (const { why } of told) expect(why).toMatch(refused)
    expect(message).toMatch(refused)
  })
})

test('a name that cannot be resolved is told, and tried again', async () => {
  // Longer than a label may be (RFC 1035 section 2.3.4), so no server is asked for it.
  const name = `${'m'.repeat(64)}.invalid`
  const { told, message } = await mirror(`http://${name}/f40/`)
  expect(told.length).toBeGreaterThan(2)
  expect(told[0]?.why).toMatch(stating(`http://${name}/f40/`, 'cannot be resolved'))
  expect(message).toContain('cannot be resolved')
})

test('a certificate that is not trusted ends the mirror at once', async () => {
  const tls = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name))
  const server: Server = createHttpsServer({ key: tls('localhost.key'), cert: tls('localhost.crt') })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { told, message } = await mirror(`https://127.0.0.1:${(server.address() as AddressInfo).port}/f40/`)
  expect(told).toEqual([])
  expect(message).toMatch(
    stating('certificate of the server is not trusted', 'self-signed', 'NODE_EXTRA_CA_CERTS'),
  )
})

describe('what is said of an error of the network', () => {
  const errorOf = (code: string, message = code) => Object.assign(new Error(message), { code })
  test.each([
    ['EAI_AGAIN', 'cannot be resolved now'],
    ['ETIMEDOUT', 'does not answer'],
    ['EHOSTUNREACH', 'no way leads'],
    ['EPIPE', 'http://a/: EPIPE'],
  ])('%s may pass: %s', (code, words) => {
    const failure = connectionFailure('http://a/', errorOf(code))
    expect([failure instanceof TransientFailure, failure.message]).toEqual([
      true,
      expect.stringContaining(words),
    ])
  })

  test('of several addresses of one name, the first', () => {
    const all = new AggregateError([
      errorOf('ECONNREFUSED', 'connect ECONNREFUSED ::1:1'),
      errorOf('ETIMEDOUT'),
    ])
    expect(connectionFailure('http://localhost:1/', all).message).toBe(
      'http://localhost:1/: the connection was refused (connect ECONNREFUSED ::1:1)',
    )
  })

  test.each([
    ['CERT_HAS_EXPIRED', 'clock'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'the name that it is made for'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'NODE_EXTRA_CA_CERTS'],
  ])('%s is final: %s', (code, remedy) => {
    const failure = connectionFailure('https://a/', errorOf(code))
    expect([failure.kind, failure.message]).toEqual(['unsupported', expect.stringContaining(remedy)])
  })
})

test.each([
  ['none', '', 'why; the next try is in 2.0 s\n'],
  ['terminal', '', 'why; the next try is in 2.0 s\n'],
  ['json', '{"event":"retry","why":"why","waitMs":2000}\n', ''],
] as const)('a retry is told in the mode %s', (mode, out, err) => {
  const written = { out: '', err: '' }
  const write = (to: 'out' | 'err') => (text: string) => {
    written[to] += text
  }
  const io = { out: write('out'), err: write('err') } as Parameters<typeof progressLine>[0]
  progressLine(io, mode).retry({ why: 'why', waitMs: 2000 })
  expect(written).toEqual({ out, err })
})

import { expect, test } from 'vitest'
import { BufferPool } from '../../../server/files/buffers.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { DataPort } from '../../../server/protocols/ftp/data/data-port.ts'
import { HeldListings } from '../../../server/protocols/ftp/data/held-listings.ts'
import { defaultLimits, LoginGuard } from '../../../server/protocols/ftp/session/limits.ts'
import { initialState, type SessionState } from '../../../server/protocols/ftp/session/state.ts'
import { verbs } from '../../../server/protocols/ftp/verbs/table.ts'
import type { VerbContext } from '../../../server/protocols/ftp/verbs/verb.ts'

const addresses = { remoteAddress: '192.0.2.7', localAddress: '192.0.2.1' }
const source = memorySource({ '/trees/f/vmlinuz': 'kernel' })
const context: VerbContext = {
  source: () => source,
  events: () => {},
  limits: defaultLimits,
  pool: new BufferPool(),
  guard: new LoginGuard(10),
  listings: new HeldListings(10),
  secure: undefined,
  authenticate: ({ password }) => password === 'right',
  uploads: undefined,
  publicAddress: undefined,
  client: { protocol: 'ftp', address: '192.0.2.7', localAddress: '192.0.2.1' },
  dataPort: new DataPort({ control: addresses, connectMs: 1, onStranger: () => {} }),
  progress: undefined,
}

/** What a command makes of a state, without any socket. */
async function run(line: string, change: Partial<SessionState> = {}) {
  const [, name = '', argument = ''] = /^(\w+) ?(.*)$/.exec(line) ?? []
  return verbs.get(name)?.run({ ...initialState, ...change }, argument, context)
}

test.each([
  ['USER root', {}, 331, { user: 'root', login: undefined }],
  ['USER FTP', { user: 'root' }, 331, { user: 'anonymous', login: undefined }],
  ['PASS right', { user: 'root' }, 230, { login: 'administrator' }],
  ['PASS wrong', { user: 'root', loginTries: 1 }, 530, { user: undefined, loginTries: 2 }],
  ['CWD trees/f', {}, 250, { folder: '/trees/f' }],
  ['CDUP', { folder: cleanPath('/trees/f') }, 250, { folder: '/trees' }],
  ['CWD trees/none', {}, 550, undefined],
  ['SIZE vmlinuz', { folder: cleanPath('/trees/f') }, 213, undefined],
  ['REST 7', {}, 350, { restartAt: 7 }],
  ['REST -1', {}, 501, undefined],
  ['ALLO 12 R 4', {}, 202, { announcedBytes: 12 }],
  ['TYPE i', {}, 200, { type: 'I' }],
  ['EPSV ALL', {}, 200, { onlyEpsv: true }],
  ['PORT 192,0,2,7,20,0', { onlyEpsv: true }, 501, undefined],
  ['PORT 192,0,2,7,20,0', {}, 200, undefined],
  ['PROT P', {}, 503, undefined],
  ['PROT P', { isSecure: true }, 200, { protectsData: true }],
])('%s from %j is answered by %i and changes %j', async (line, state, code, set) => {
  expect(await run(line, state)).toMatchObject({ code })
  expect((await run(line, state))?.set).toEqual(set)
})

test('REIN forgets all but the encryption and the wrong passwords', async () => {
  const kept = { isSecure: true, protectsData: true, loginTries: 2 }
  const before = { ...kept, user: 'root', login: 'administrator', restartAt: 7, onlyEpsv: true } as const
  expect((await run('REIN', before))?.set).toEqual({ ...initialState, ...kept })
})

test('RETR returns a transfer, and what it spends is in the table', async () => {
  const transfer = await run('RETR trees/f/vmlinuz', { restartAt: 2 })
  expect(transfer).toMatchObject({ title: 'Sending /trees/f/vmlinuz (4 bytes)' })
  expect(verbs.get('RETR')?.spends).toEqual({ restartAt: 0 })
})

test('a connection to another machine is refused, and noted', async () => {
  expect(await run('PORT 192,0,2,8,20,0')).toMatchObject({
    code: 504,
    noise: expect.stringContaining('192.0.2.8 port 5120'), // 20 * 256 + 0
  })
})

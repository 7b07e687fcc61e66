import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { mountHint } from '../../../server/protocols/nfs/port-mapper.ts'
import type { Mapping } from '../../../server/protocols/nfs/portmap.ts'
import { register, unregister } from '../../../server/protocols/nfs/rpcbind.ts'
import { Cursor, word } from '../../support/nfs-wire.ts'

const closers: (() => unknown)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/**
 * An rpcbind in a few lines: SET, UNSET and GETPORT (procedures 1 to 3), and a memory of what was set. `there`:
 * what is registered already. `takes: false`: it refuses SET.
 */
async function fakeRpcbind(options: { readonly takes?: boolean; readonly there?: readonly Mapping[] } = {}) {
  const key = (program: number, version: number, protocol: number): string =>
    `${program} ${version} ${protocol}`
  const known = new Map(
    (options.there ?? []).map((each) => [
      key(each.program, each.version, each.transport === 'tcp' ? 6 : 17),
      each.port,
    ]),
  )
  const set = (name: string, port: number): number => {
    if (options.takes === false || (known.get(name) ?? port) !== port) return 0
    known.set(name, port)
    return 1
  }
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  closers.push(() => socket.close())
  socket.on('message', (bytes, from) => {
    const call = new Cursor(bytes)
    const xid = call.word()
    for (let i = 0; i < 4; i++) call.word() // CALL, RPC version, program, version
    const procedure = call.word()
    for (let i = 0; i < 4; i++) call.word() // an empty credential and an empty verifier
    const [program, version, protocol, port] = [call.word(), call.word(), call.word(), call.word()]
    const name = key(program, version, protocol)
    const procedures: Record<number, () => number> = {
      1: () => set(name, port),
      2: () => Math.max(...[6, 17].map((each) => Number(known.delete(key(program, version, each))))),
      3: () => known.get(name) ?? 0,
    }
    const result = procedures[procedure]?.() ?? 0
    // REPLY, MSG_ACCEPTED, an empty verifier, SUCCESS.
    socket.send(Buffer.concat([xid, 1, 0, 0, 0, 0, result].map(word)), from.port, from.address)
  })
  return { known, port: socket.address().port }
}

const mappings = (port: number): Mapping[] =>
  [100003, 100005].flatMap((program) =>
    (['tcp', 'udp'] as const).map((transport) => ({ program, version: 3, transport, port })),
  )

describe('the rpcbind of this machine', () => {
  test('rpcbind gets our services, and we unregister them at the stop', async () => {
    const rpcbind = await fakeRpcbind()
    expect(await register(mappings(2049), rpcbind.port)).toEqual({ type: 'registered' })
    expect([...rpcbind.known.values()]).toEqual([2049, 2049, 2049, 2049])
    await unregister(mappings(2049), rpcbind.port)
    expect(rpcbind.known.size).toBe(0)
  })

  test('the registration of a server that has crashed is replaced', async () => {
    // Nobody listens on port 1.
    const rpcbind = await fakeRpcbind({ there: mappings(1) })
    expect(await register(mappings(2049), rpcbind.port)).toEqual({ type: 'registered' })
    expect([...rpcbind.known.values()]).toEqual([2049, 2049, 2049, 2049])
  })

  test('the registration of another running server is left alone', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    closers.push(() => other.close())
    const address = other.address()
    const port = address && typeof address === 'object' ? address.port : 0
    const rpcbind = await fakeRpcbind({ there: mappings(port) })
    const result = await register(mappings(2049), rpcbind.port)
    expect(result).toMatchObject({ type: 'refused', reason: expect.stringContaining(`port ${port}`) })
    expect([...rpcbind.known.values()]).toEqual([port, port, port, port])
  })

  test('a refusal by rpcbind is the result', async () => {
    const rpcbind = await fakeRpcbind({ takes: false })
    expect(await register(mappings(2049), rpcbind.port)).toMatchObject({ type: 'refused' })
  })
})

test('the mount hint names ports exactly when a client cannot find them', () => {
  expect(mountHint('0.0.0.0', 2049, { type: 'rpcbind' })).toBe(
    'mount -t nfs -o nfsvers=3,nolock HOST:/trees /mnt',
  )
  expect(mountHint('192.0.2.1', 12049, { type: 'ours', port: 111 })).toBe(
    'mount -t nfs -o nfsvers=3,nolock 192.0.2.1:/trees /mnt',
  )
  expect(mountHint('::1', 12049, { type: 'none', reason: 'port 111 needs root' })).toBe(
    'mount -t nfs -o nfsvers=3,port=12049,mountport=12049,proto=tcp,mountproto=tcp,nolock [::1]:/trees /mnt (port 111 needs root)',
  )
})

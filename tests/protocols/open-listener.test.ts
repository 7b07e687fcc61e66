import { createServer, type Server } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../server/core/failure.ts'
import type { Listener } from '../../server/protocols/listener.ts'
import { openListener } from '../../server/protocols/open-listener.ts'

/** A real socket, so that the refusals are the system's own. */
function tcpService(port: number): Listener {
  const server: Server = createServer()
  return {
    name: 'test',
    get address() {
      const bound = server.address()
      return bound && typeof bound === 'object' ? { host: bound.address, port: bound.port } : undefined
    },
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (cause) => reject(new Failure('unavailable', 'cannot listen', { cause })))
        server.listen(port, '127.0.0.1', resolve)
      }),
    refuseNew: () => server.close(),
    transfers: () => [],
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Takes a free port. The port 10000 above, to which `auto` goes, is most likely free, too. */
async function takenPort(): Promise<{ port: number; release: () => Promise<void> }> {
  // Test processes begin at different ports. Both ports are below 32,768, where Linux begins to give ports to clients.
  for (let port = 10_000 + (process.pid % 10_000); ; port++) {
    const service = tcpService(port)
    try {
      await service.start()
      return { port, release: () => service.stop() }
    } catch {
      // Another program has it: try the next one.
    }
  }
}

describe('the port of a service', () => {
  test('auto goes 10000 higher when the standard port is taken, with a note', async () => {
    const taken = await takenPort()
    const { listener, note } = await openListener({ port: 'auto', standard: taken.port }, tcpService)
    expect(listener.address?.port).toBe(taken.port + 10_000)
    expect(note).toBe(`port ${taken.port} is taken by another program; ${taken.port + 10_000} instead`)
    await listener.stop()
    await taken.release()
  })

  test('auto takes the standard port when it can, without a note', async () => {
    // A port that is free, because it was ours a moment ago.
    const { port, release } = await takenPort()
    await release()
    const { listener, note } = await openListener({ port: 'auto', standard: port }, tcpService)
    expect(listener.address?.port).toBe(port)
    expect(note).toBe('')
    await listener.stop()
  })

  test('a named port is bound, or the start fails', async () => {
    const taken = await takenPort()
    await expect(openListener({ port: taken.port, standard: 69 }, tcpService)).rejects.toThrow(Failure)
    await taken.release()
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { NfsListener, type NfsListenerOptions } from '../../../server/protocols/nfs/server.ts'
import { NfsClient, NfsError } from '../../support/nfs-client.ts'
import { TcpWire, UdpWire } from '../../support/nfs-wire.ts'

export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-nfs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

/** A service on 127.0.0.1 that goes away with the test, and clients of it. */
export async function openListener(
  options: Pick<NfsListenerOptions, 'source'> & Partial<NfsListenerOptions>,
) {
  const events: Event[] = []
  const service = new NfsListener({
    bind: '127.0.0.1',
    port: 0,
    portmap: 'off',
    events: (event) => events.push(event),
    dataFolder: options.dataFolder ?? (await tempFolder()),
    ...options,
  })
  await service.start()
  onTestFinished(() => service.stop())
  const port = service.address?.port ?? 0
  const wire = await TcpWire.open(port)
  onTestFinished(() => wire.close())
  return { service, events, port, wire, tcp: new NfsClient(wire), udp: new NfsClient(new UdpWire(port)) }
}

/** The status of a call that fails. */
export async function statusOf(promise: Promise<unknown>): Promise<number> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof NfsError) return error.status
  throw error ?? new Error('it succeeded')
}

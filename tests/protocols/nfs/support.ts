import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { NfsDoor, type NfsDoorOptions } from '../../../server/protocols/nfs/server.ts'
import { NfsClient, TcpWire, UdpWire } from '../../support/nfs-client.ts'

const closers: (() => Promise<unknown> | undefined)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-nfs-'))
  closers.push(() => rm(folder, { recursive: true }))
  return folder
}

/** A door on 127.0.0.1 that goes away with the test, and clients of it. */
export async function openDoor(options: Pick<NfsDoorOptions, 'source'> & Partial<NfsDoorOptions>) {
  const events: Event[] = []
  const door = new NfsDoor({
    bind: '127.0.0.1',
    port: 0,
    portmap: 'off',
    events: (event) => events.push(event),
    dataFolder: options.dataFolder ?? (await tempFolder()),
    ...options,
  })
  await door.start()
  closers.push(() => door.stop())
  const port = door.address?.port ?? 0
  const wire = await TcpWire.open(port)
  closers.push(() => {
    wire.close()
    return undefined
  })
  return { door, events, port, wire, tcp: new NfsClient(wire), udp: new NfsClient(new UdpWire(port)) }
}

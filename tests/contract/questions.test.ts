import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Decision } from '../../server/core/boot/decision.ts'
import { Failure } from '../../server/core/failure.ts'
import { type Event, EventBus } from '../../server/events/bus.ts'
import { bytesEntry } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { Entry, FileSource } from '../../server/files/source.ts'
import { FtpListener } from '../../server/protocols/ftp/server.ts'
import { HttpListener } from '../../server/protocols/http/server.ts'
import type { Listener } from '../../server/protocols/listener.ts'
import { NfsListener } from '../../server/protocols/nfs/server.ts'
import { TftpListener } from '../../server/protocols/tftp/server.ts'
import { encodePacket } from '../../server/protocols/tftp/wire/packet.ts'
import { eventually } from '../support/eventually.ts'
import { RawFtp } from '../support/ftp.ts'
import { NfsClient } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp } from '../support/tftp-client.ts'
import { keptFolder } from '../support/tree-folder.ts'

/**
 * A question changes nothing: HEAD, SIZE, MDTM, a listing, LOOKUP, GETATTR, a size probe, a condition that
 * holds. None of them claims the file, and no event reports bytes of it. GET, RRQ, RETR and READ claim the
 * file before the first byte, and their event has the decision of the entry.
 */

const decision: Decision = {
  kind: 'boot',
  summary: 'install fedora-40',
  facts: { macs: ['52:54:00:aa:bb:01'] },
  localDisk: false,
  loader: 'ipxe',
}
const bytes = randomBytes(3000)
let claims: number
let refusal: Failure | undefined
let events: Event[]

/** `/ks/web01`, made anew for each request, as generated files are. */
function entry(): Entry {
  return {
    ...bytesEntry('web01', bytes, 1_700_000_000_000),
    decision,
    claim: async () => {
      claims++
      if (refusal) throw refusal
    },
  }
}
const folder = (name: string): Entry => ({
  ...bytesEntry(name, new Uint8Array(), 1_700_000_000_000),
  kind: 'folder',
})
const source: FileSource = {
  stat: async (path) => {
    if (path === cleanPath('/ks/web01')) return entry()
    return path === cleanPath('/') || path === cleanPath('/ks') ? folder(path.slice(1)) : undefined
  },
  list: async (path) => {
    if (path === cleanPath('/ks')) return [entry()]
    return path === cleanPath('/') ? [folder('ks')] : undefined
  },
}

const home = keptFolder()
const bus = new EventBus()
const listeners: Listener[] = []
let ports: Readonly<Record<'http' | 'tftp' | 'ftp' | 'nfs', number>>

beforeAll(async () => {
  bus.subscribe((event) => events.push(event))
  const common = { bind: '127.0.0.1', port: 0, source, events: bus.emit }
  const made = {
    http: new HttpListener(common),
    tftp: new TftpListener(common),
    ftp: new FtpListener(common),
    nfs: new NfsListener({ ...common, portmap: 'off', dataFolder: home.path }),
  }
  listeners.push(...Object.values(made))
  for (const listener of listeners) await listener.start()
  const port = (listener: Listener) => listener.address?.port ?? 0
  ports = {
    http: port(made.http),
    tftp: port(made.tftp),
    ftp: port(made.ftp),
    nfs: port(made.nfs),
  }
})

afterAll(async () => {
  for (const listener of listeners) await listener.stop()
  home.remove()
})

beforeEach(() => {
  claims = 0
  refusal = undefined
  events = []
})

/** Events that report sent bytes of the file. */
const fetched = () =>
  events.filter((event) => event.type === 'served' && event.bytes > 0 && event.path === '/ks/web01')

const url = () => `http://127.0.0.1:${ports.http}/ks/web01`

async function withNfs<T>(act: (client: NfsClient) => Promise<T>): Promise<T> {
  const wire = await TcpWire.open(ports.nfs)
  try {
    return await act(new NfsClient(wire))
  } finally {
    wire.close()
  }
}

describe('a question neither claims the file nor reports bytes', () => {
  const questions: Record<string, () => Promise<unknown>> = {
    'HTTP HEAD': async () => expect((await fetch(url(), { method: 'HEAD' })).status).toBe(200),
    'HTTP GET with a validator that still holds': async () => {
      const etag = (await fetch(url(), { method: 'HEAD' })).headers.get('etag') ?? ''
      expect((await fetch(url(), { headers: { 'If-None-Match': etag } })).status).toBe(304)
    },
    'HTTP GET of a range behind the end': async () =>
      expect((await fetch(url(), { headers: { Range: 'bytes=9000-' } })).status).toBe(416),
    'HTTP GET of the folder': async () =>
      expect((await fetch(`http://127.0.0.1:${ports.http}/ks/`)).status).toBe(200),
    'FTP SIZE, MDTM, MLST, LIST and CWD': async () => {
      const ftp = await RawFtp.login(ports.ftp)
      for (const line of ['SIZE /ks/web01', 'MDTM /ks/web01', 'MLST /ks/web01', 'STAT /ks', 'CWD /ks'])
        expect((await ftp.ask(line)).code, line).toBeLessThan(400)
      expect((await ftp.fetch('LIST')).bytes.toString()).toContain('web01')
      ftp.socket.destroy()
    },
    'NFS LOOKUP, GETATTR, ACCESS and READDIRPLUS': () =>
      withNfs(async (nfs) => {
        const root = await nfs.mount('/')
        const ks = await nfs.lookup(root, 'ks')
        const file = await nfs.lookup(ks.handle, 'web01')
        await nfs.getattr(file.handle)
        await nfs.access(file.handle, 0x3f) // all six rights
        await nfs.readdirplus(ks.handle, 0n, 0n, { dirCount: 4096, maxCount: 32768 })
      }),
    // PXELINUX and EDK2 request a size so: they reply to the OACK with ERROR 0 or 8 instead of ACK 0.
    'a TFTP size probe': async () => {
      let size: string | number | undefined
      await fetchTftp('/ks/web01', {
        port: ports.tftp,
        options: { tsize: 0, blksize: 512 },
        intercept: (packet, peer) => {
          if (packet.type !== 'oack') return 'ignore'
          size = packet.options.get('tsize')
          peer.send(encodePacket({ type: 'error', code: 8, message: 'tsize is all I wanted' }))
          return 'stop'
        },
      })
      expect(Number(size)).toBe(bytes.length)
    },
  }
  test.each(Object.entries(questions))('%s', async (_name, ask) => {
    await ask()
    // An event would come a moment after the reply.
    await new Promise((done) => setTimeout(done, 50))
    expect(claims).toBe(0)
    expect(fetched()).toEqual([])
  })
})

describe('a fetch claims the file first, and its event has the decision', () => {
  const fetches: Record<string, () => Promise<Buffer>> = {
    'HTTP GET': async () => Buffer.from(await (await fetch(url())).arrayBuffer()),
    'TFTP RRQ': async () => (await fetchTftp('/ks/web01', { port: ports.tftp })).bytes,
    'FTP RETR': async () => {
      const ftp = await RawFtp.login(ports.ftp)
      const got = await ftp.fetch('RETR /ks/web01')
      ftp.socket.destroy()
      return got.bytes
    },
    'NFS READ': () =>
      withNfs(async (nfs) => {
        const ks = await nfs.lookup(await nfs.mount('/'), 'ks')
        const file = await nfs.lookup(ks.handle, 'web01')
        return nfs.readAll(file.handle)
      }),
  }
  test.each(Object.entries(fetches))('%s', async (_name, get) => {
    expect((await get()).equals(bytes)).toBe(true)
    expect(claims).toBeGreaterThan(0)
    await eventually(() => expect(fetched()).toHaveLength(1))
    expect(fetched()[0]).toMatchObject({ outcome: 'complete', bytes: bytes.length, decision })
  })

  test.each(Object.entries(fetches))('%s gets no byte when the claim fails', async (_name, get) => {
    refusal = new Failure('unavailable', 'the store cannot be written')
    const got = await get().catch(() => Buffer.alloc(0))
    expect(got.includes(bytes.subarray(0, 64))).toBe(false)
    expect(claims).toBeGreaterThan(0)
    expect(fetched()).toEqual([])
  })
})

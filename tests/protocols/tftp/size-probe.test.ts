import { afterEach, describe, expect, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { loadSystemCalls } from '../../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../../server/protocols/tftp/server.ts'
import { encodePacket } from '../../../server/protocols/tftp/wire/packet.ts'
import { type FetchOptions, fetchTftp } from '../../support/tftp-client.ts'

/**
 * Clients that ask only for the size of a file, with real datagrams. EDK2: lab run of OVMF 2022.11. iPXE:
 * src/net/udp/tftp.c and pxe_tftp.c (PXENV_TFTP_GET_FSIZE). GRUB: grub-core/net/tftp.c, a file that is opened and closed.
 */

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const size = 60_000
/** Long enough for the native backend where that is required. */
const file = 'x'.repeat(size)
const nativeModes = loadSystemCalls() ? (['off', 'required'] as const) : (['off'] as const)

async function open(native: 'off' | 'required', source: FileSource = memorySource({ '/shim.efi': file })) {
  const events: Event[] = []
  const service = new TftpListener({
    bind: '127.0.0.1',
    port: 0,
    source,
    events: (event) => events.push(event),
    native,
    limits: { stopMs: 20 },
  })
  await service.start()
  closers.push(() => service.stop())
  const fetch = (options: Partial<FetchOptions>) =>
    fetchTftp('shim.efi', { port: service.address?.port ?? 0, ...options })
  const served = async (count: number) => {
    const found = () => events.filter((event) => event.type === 'served')
    const deadline = Date.now() + 10_000
    while (found().length < count && Date.now() < deadline) await new Promise(setImmediate)
    return found()
  }
  return { service, events, fetch, served }
}

const error = (code: number, message: string) => encodePacket({ type: 'error', code, message })

describe.each(nativeModes)('size probes, system calls %s', (native) => {
  test('EDK2 sends ERROR 8 instead of the ACK of the OACK: only its second request is served', async () => {
    const { fetch, served } = await open(native)
    let tsize: string | undefined
    await fetch({
      options: { tsize: 0, blksize: 1468, windowsize: 4 },
      intercept: (packet, peer) => {
        if (packet.type !== 'oack') return 'continue'
        tsize = packet.options.get('tsize')
        peer.send(error(8, 'User aborted the transfer'))
        return 'stop'
      },
    })
    expect(tsize).toBe(String(size))
    expect((await fetch({ options: { blksize: 1468, windowsize: 4 } })).bytes.length).toBe(size)
    expect(await served(1)).toMatchObject([{ outcome: 'complete', bytes: size }])
  })

  test.each([
    ['iPXE', { tsize: 0, blksize: 1432 }, 'TFTP Aborted'],
    ['GRUB', { tsize: 0, blksize: 1024 }, 'closed'],
  ])('%s acknowledges the OACK, then sends ERROR 0: aborted, with 0 bytes', async (_, options, message) => {
    const { fetch, served } = await open(native)
    await fetch({
      options,
      intercept: (packet, peer) => {
        if (packet.type === 'oack') return 'continue'
        peer.send(error(0, message))
        return 'stop'
      },
    })
    expect(await served(1)).toMatchObject([{ outcome: 'aborted', bytes: 0, detail: `client: ${message}` }])
  })

  test('without options the client sends ERROR after DATA 1: aborted, with 0 bytes', async () => {
    const { fetch, served } = await open(native)
    await fetch({
      intercept: (_, peer) => {
        peer.send(error(8, 'User aborted the transfer'))
        return 'stop'
      },
    })
    expect(await served(1)).toMatchObject([{ outcome: 'aborted', bytes: 0 }])
  })

  test('a client that goes away after the OACK: aborted, with 0 bytes', async () => {
    const { service, fetch, served } = await open(native)
    await fetch({ options: { tsize: 0 }, intercept: () => 'stop' })
    await service.stop()
    expect(await served(1)).toMatchObject([{ outcome: 'aborted', bytes: 0 }])
  })
})

test('a size probe claims nothing; the download after it does', async () => {
  let claims = 0
  const inner = memorySource({ '/shim.efi': file })
  const claim = async (): Promise<void> => {
    claims++
  }
  const { fetch, served } = await open('off', {
    ...inner,
    stat: async (path, who) => {
      const entry = await inner.stat(path, who)
      return entry && { ...entry, claim }
    },
  })
  await fetch({
    options: { tsize: 0 },
    intercept: (_, peer) => {
      peer.send(error(8, 'User aborted the transfer'))
      return 'stop'
    },
  })
  expect(claims).toBe(0)
  expect((await fetch({})).bytes.toString()).toBe(file)
  expect(claims).toBe(1)
  expect(await served(1)).toMatchObject([{ outcome: 'complete', bytes: size }])
})

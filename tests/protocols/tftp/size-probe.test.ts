import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { memorySource } from '../../../server/files/memory.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { loadSystemCalls } from '../../../server/protocols/tftp/native/system-calls.ts'
import { TftpListener } from '../../../server/protocols/tftp/server.ts'
import { encodePacket } from '../../../server/protocols/tftp/wire/packet.ts'
import { type FetchOptions, fetchTftp } from '../../support/tftp-client.ts'

/**
 * Clients that ask only for the size of a file, with real datagrams. EDK2: lab run of OVMF 2022.11. iPXE:
 * src/net/udp/tftp.c and pxe_tftp.c (PXENV_TFTP_GET_FSIZE). GRUB: grub-core/net/tftp.c, a file that is opened
 * and closed.
 */

const size = 60_000
/** Long enough for the native backend, which takes transfers of four windows and more. */
const file = 'x'.repeat(size)
const nativeModes = loadSystemCalls() ? (['off', 'required'] as const) : (['off'] as const)

async function open(native: 'off' | 'required', source: FileSource) {
  const events: Event[] = []
  const service = new TftpListener({
    bind: '127.0.0.1',
    port: 0,
    source,
    events: (event) => events.push(event),
    native,
    limits: { stopMs: 20 }, // some clients here go away without a word
  })
  await service.start()
  const fetch = (path: string, options: Partial<FetchOptions> = {}) =>
    fetchTftp(path, { port: service.address?.port ?? 0, ...options })
  /** The events of a path, once there is one. */
  const served = async (path: string) => {
    const found = () => events.filter((event) => event.type === 'served' && event.path === path)
    const deadline = Date.now() + 10_000
    while (found().length === 0 && Date.now() < deadline) await new Promise(setImmediate)
    return found()
  }
  return { service, fetch, served }
}

/**
 * Sends an ERROR in place of the client's reply to the first packet that is not of type `after`, and ends the
 * client.
 */
function errorAfter(after: 'request' | 'oack', code: number, message: string): Partial<FetchOptions> {
  return {
    intercept: (packet, peer) => {
      if (packet.type === after) return 'continue'
      peer.send(encodePacket({ type: 'error', code, message }))
      return 'stop'
    },
  }
}

describe.each(nativeModes)('size probes, system calls %s', (native) => {
  let opened: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    const names = ['/edk2', '/ipxe', '/grub', '/no-options', '/gone']
    opened = await open(native, memorySource(Object.fromEntries(names.map((name) => [name, file]))))
  })
  afterAll(() => opened.service.stop())

  test('EDK2 sends ERROR 8 instead of the ACK of the OACK: only its second request is served', async () => {
    const { fetch, served } = opened
    const options = { blksize: 1468, windowsize: 4 }
    const probe = await fetch('edk2', {
      options: { tsize: 0, ...options },
      ...errorAfter('request', 8, 'User aborted the transfer'),
    })
    expect(probe.bytes.length).toBe(0)
    expect((await fetch('edk2', { options })).bytes.length).toBe(size)
    expect(await served('/edk2')).toMatchObject([{ outcome: 'complete', bytes: size }])
  })

  test.each([
    ['ipxe', { tsize: 0, blksize: 1432 }, 'TFTP Aborted'],
    ['grub', { tsize: 0, blksize: 1024 }, 'closed'],
  ])(
    '%s acknowledges the OACK, then sends ERROR 0: aborted, with 0 bytes',
    async (name, options, message) => {
      const { fetch, served } = opened
      const probe = await fetch(name, { options, ...errorAfter('oack', 0, message) })
      expect(probe.oack?.get('tsize')).toBe(String(size))
      expect(await served(`/${name}`)).toMatchObject([
        { outcome: 'aborted', bytes: 0, detail: `client: ${message}` },
      ])
    },
  )

  test('without options, a client sends ERROR after DATA 1: aborted, with 0 bytes', async () => {
    const { fetch, served } = opened
    await fetch('no-options', errorAfter('request', 8, 'User aborted the transfer'))
    expect(await served('/no-options')).toMatchObject([{ outcome: 'aborted', bytes: 0 }])
  })

  // The last one here: it stops the service that all these tests share.
  test('a client goes away after the OACK: aborted, with 0 bytes', async () => {
    const { service, fetch, served } = opened
    await fetch('gone', { options: { tsize: 0 }, intercept: () => 'stop' })
    await service.stop()
    expect(await served('/gone')).toMatchObject([{ outcome: 'aborted', bytes: 0 }])
  })
})

test('a size probe makes no claim; the download after it makes one', async () => {
  let claims = 0
  const claim = async (): Promise<void> => {
    claims++
  }
  const inner = memorySource({ '/ks': file })
  const { service, fetch, served } = await open('off', {
    ...inner,
    stat: async (path, who) => {
      const entry = await inner.stat(path, who)
      return entry && { ...entry, claim }
    },
  })
  const probe = errorAfter('request', 8, 'User aborted the transfer')
  await fetch('ks', { options: { tsize: 0 }, ...probe })
  expect(claims).toBe(0)
  expect((await fetch('ks')).bytes.toString()).toBe(file)
  expect(claims).toBe(1)
  expect(await served('/ks')).toMatchObject([{ outcome: 'complete', bytes: size }])
  await service.stop()
})

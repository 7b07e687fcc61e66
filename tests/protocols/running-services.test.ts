import { describe, expect, test, vi } from 'vitest'
import { serviceNames } from '../../server/core/services.ts'
import type { Listener } from '../../server/protocols/listener.ts'
import {
  type ListenerMakers,
  RunningServices,
  type ServiceSettings,
} from '../../server/protocols/running-services.ts'

function listener(name: string, host: string, port: number): Listener {
  return {
    name,
    address: { host, port },
    start: () => Promise.resolve(),
    refuseNew: () => undefined,
    transfers: () => [],
    stop: () => Promise.resolve(),
  }
}

function settings(bind: string): ServiceSettings {
  const each = serviceNames.map((name) => [name, { enabled: name !== 'dhcp', bind, port: 7000 }])
  return Object.fromEntries(each) as ServiceSettings
}

const makers = Object.fromEntries(
  serviceNames.map((name) => [name, (bind: string, port: number) => listener(name, bind, port)]),
) as ListenerMakers

async function lines(bind: string, hasIpv6: boolean) {
  const running = new RunningServices()
  await running.open(settings(bind), makers, () => Promise.resolve(hasIpv6))
  return running.lines().filter(({ open }) => open)
}

test('without IPv6 in the system, :: is every IPv4 address, and the table says so once', async () => {
  const table = await lines('::', false)
  expect(new Set(table.map(({ host }) => host))).toEqual(new Set(['0.0.0.0']))
  expect(table.map(({ note }) => note.includes('no IPv6'))).toEqual([true, false, false, false, false])
})

test.each([
  ['::', true],
  ['0.0.0.0', true],
  ['0.0.0.0', false],
  ['192.0.2.1', false],
  // An address that is written in full stays: the system then says that it does not exist.
  ['2001:db8::1', false],
  ['::1', false],
])('%s stays as it is (IPv6 in the system: %s)', async (bind, hasIpv6) => {
  const table = await lines(bind, hasIpv6)
  expect(table.map(({ host, note }) => [host, note])).toEqual(table.map(() => [bind, '']))
})

describe('a stop', () => {
  /** A listener that ends only when it is told to end now. */
  function slow(asked: (how: string) => void): Listener {
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    return {
      ...listener('slow', '::', 1),
      stop: (how) => {
        asked(how ?? 'with a moment')
        if (how === 'now') end()
        return ended
      },
    }
  }

  async function stopping(graceMs: number) {
    const asked: string[] = []
    const running = new RunningServices()
    const onlyHttp = { ...settings('::1'), ...disabled }
    await running.open(onlyHttp, { ...makers, http: () => slow((how) => void asked.push(how)) })
    const cut = new AbortController()
    const grace = { graceMs: () => graceMs, cut: cut.signal, events: () => undefined }
    return { asked, cut, stopped: running.stop(grace, () => undefined) }
  }
  const off = { enabled: false, bind: '::1', port: 0 }
  const disabled = { tftp: off, ftp: off, nfs: off, dhcp: off }

  test('that waits for unfinished requests is ended by a second signal', async () => {
    const { asked, cut, stopped } = await stopping(60_000)
    await vi.waitFor(() => expect(asked).toEqual(['with a moment']))
    cut.abort()
    await stopped
    expect(asked).toEqual(['with a moment', 'now'])
  })

  test('without a grace waits for none', async () => {
    const { asked, stopped } = await stopping(0)
    await stopped
    expect(asked).toEqual(['now'])
  })
})

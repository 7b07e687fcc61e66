import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import type { Event } from '../../../server/events/bus.ts'
import { bytesEntry, memorySource } from '../../../server/files/memory.ts'
import type { Entry, FileSource } from '../../../server/files/source.ts'
import { eventually } from '../../support/eventually.ts'
import { collect, openFtp, RawFtp } from '../../support/ftp.ts'

const kernel = randomBytes(5_000_000)
const files = memorySource({ '/trees/f/vmlinuz': kernel, '/trees/f/.treeinfo': '[general]\n' })

/** The same files; `opened` counts how often the bytes of one were asked for. */
function countingSource(): { source: FileSource; opened: () => number } {
  let opened = 0
  const counted = (entry: Entry): Entry => ({
    ...entry,
    open() {
      opened++
      return entry.open()
    },
  })
  const source: FileSource = {
    stat: async (path, who) => {
      const entry = await files.stat(path, who)
      return entry && counted(entry)
    },
    list: async (path, who) => (await files.list(path, who))?.map(counted),
  }
  return { source, opened: () => opened }
}

async function client() {
  const { source, opened } = countingSource()
  const { port, events } = await openFtp({ source })
  return { ftp: await RawFtp.login(port), events, opened }
}

const servedIn = (events: readonly Event[]) => events.filter((event) => event.type === 'served')

describe('a question opens no file and is not a download:', () => {
  test.each([
    ['SIZE trees/f/vmlinuz', 213],
    ['MDTM trees/f/vmlinuz', 213],
    ['MLST trees/f/vmlinuz', 250],
    ['STAT trees/f', 213],
    ['STAT trees/f/vmlinuz', 213],
    ['CWD trees/f', 250],
    ['SIZE trees/f', 550],
    ['CWD trees/f/vmlinuz', 550],
    ['SIZE trees/none', 550],
    ['MDTM trees/none', 550],
    ['STAT trees/none', 550],
  ])('%s', async (line, code) => {
    const { ftp, events, opened } = await client()
    expect((await ftp.ask(line)).code).toBe(code)
    expect(opened()).toBe(0)
    expect(events).toEqual([])
  })

  test.each(['LIST trees/f', 'LIST trees/f/vmlinuz', 'NLST trees/f', 'NLST trees/f/vm*', 'MLSD trees/f'])(
    '%s',
    async (line) => {
      const { ftp, events, opened } = await client()
      const { bytes, last } = await ftp.fetch(line)
      expect([bytes.toString().includes('vmlinuz'), last.code]).toEqual([true, 226])
      expect(opened()).toBe(0)
      expect(events).toEqual([])
    },
  )
})

describe('RETR records the bytes that went to the client', () => {
  const path = '/trees/f/vmlinuz'

  test('of a whole file', async () => {
    const { ftp, events, opened } = await client()
    expect((await ftp.fetch(`RETR ${path}`)).bytes.equals(kernel)).toBe(true)
    expect(opened()).toBe(1)
    expect(servedIn(events)).toMatchObject([
      { protocol: 'ftp', client: '127.0.0.1', path, outcome: 'complete', bytes: kernel.length },
    ])
  })

  test('after REST: the rest', async () => {
    const { ftp, events } = await client()
    await ftp.ask('REST 4999000')
    expect((await ftp.fetch(`RETR ${path}`)).bytes.length).toBe(1000)
    expect(servedIn(events)).toMatchObject([{ path, outcome: 'complete', bytes: 1000 }])
  })

  test('after REST beyond the end: none, and the next RETR begins at byte 0', async () => {
    const { ftp, events, opened } = await client()
    await ftp.ask('REST 5000001')
    expect((await ftp.fetch(`RETR ${path}`)).last.code).toBe(550)
    expect(opened()).toBe(0)
    expect(servedIn(events)).toMatchObject([{ path, outcome: 'failed', kind: 'not-found', bytes: 0 }])
    expect(servedIn(events)[0]).toMatchObject({ detail: expect.stringMatching(/5000001\D+5000000/) })
    expect((await ftp.fetch(`RETR ${path}`)).bytes.length).toBe(kernel.length)
  })

  test('aborted by ABOR: fewer than the file has', async () => {
    const { ftp, events } = await client()
    const socket = await ftp.data()
    await ftp.ask(`RETR ${path}`)
    await once(socket, 'readable')
    ftp.send('ABOR\r\n')
    expect([(await ftp.reply()).code, (await ftp.reply()).code]).toEqual([426, 226])
    const [served] = servedIn(events)
    expect(served).toMatchObject({ path, outcome: 'aborted' })
    expect(served?.bytes).toBeLessThan(kernel.length)
    expect((await collect(socket)).length).toBeLessThan(kernel.length)
  })

  test('broken off by the client: fewer than the file has', async () => {
    const { ftp, events } = await client()
    const socket = await ftp.data()
    await ftp.ask(`RETR ${path}`)
    socket.resetAndDestroy()
    expect((await ftp.reply()).code).toBe(426)
    expect(servedIn(events)).toMatchObject([{ path, outcome: 'aborted' }])
    expect(servedIn(events)[0]?.bytes).toBeLessThan(kernel.length)
  })

  test('of a client that vanishes with both connections: recorded once', async () => {
    const { ftp, events } = await client()
    const socket = await ftp.data()
    await ftp.ask(`RETR ${path}`)
    ftp.socket.resetAndDestroy()
    socket.resetAndDestroy()
    await eventually(() => expect(servedIn(events)).toHaveLength(1))
    expect(servedIn(events)).toMatchObject([{ outcome: 'aborted' }])
  })

  test('without a data connection: none', async () => {
    const { ftp, events } = await client()
    expect((await ftp.ask(`RETR ${path}`)).code).toBe(425)
    expect(servedIn(events)).toMatchObject([{ path, outcome: 'failed', kind: 'bad-request', bytes: 0 }])
  })

  test('of a file whose claim fails: none', async () => {
    const claim = () => Promise.reject(new Failure('unavailable', 'the store is read-only'))
    const source: FileSource = {
      stat: async () => ({ ...bytesEntry('x', kernel, 0), claim }),
      list: async () => undefined,
    }
    const { port, events } = await openFtp({ source })
    const { bytes, last } = await (await RawFtp.login(port)).fetch('RETR /x')
    expect([bytes.length, last.code]).toEqual([0, 450])
    expect(servedIn(events)).toMatchObject([{ outcome: 'failed', kind: 'unavailable', bytes: 0 }])
  })

  test('of a file that cannot be opened: none', async () => {
    const broken: Entry = {
      ...bytesEntry('x', kernel, 0),
      open: () => Promise.reject(new Failure('invalid-data', '/srv/trees/x is damaged')),
    }
    const source: FileSource = { stat: async () => broken, list: async () => undefined }
    const { port, events } = await openFtp({ source })
    const { last } = await (await RawFtp.login(port)).fetch('RETR /x')
    expect([last.code, last.text.includes('/srv')]).toEqual([550, false])
    expect(servedIn(events)).toMatchObject([{ outcome: 'failed', kind: 'invalid-data', bytes: 0 }])
  })
})

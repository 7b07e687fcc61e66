import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requestLimits } from '../../../server/core/limits/requests.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource, textEntry } from '../../../server/files/memory.ts'
import type { Entry, FileSource } from '../../../server/files/source.ts'
import { anyText } from '../../support/any-text.ts'
import { collect, openFtp, RawFtp } from '../../support/ftp.ts'
import { runs } from '../../support/fuzz.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const source = memorySource({ '/x': 'x' })

/** Waits until the condition holds, for at most five seconds. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
  expect(holds()).toBe(true)
}

describe('data connections', () => {
  test('never go to another address or to a service of the client (FTP bounce)', async () => {
    const { port, events } = await openFtp({ source })
    const ftp = await RawFtp.login(port)
    for (const line of [
      'PORT 192,0,2,1,20,0',
      'PORT 127,0,0,2,20,0',
      'PORT 127,0,0,1,0,25',
      'EPRT |1|192.0.2.1|5000|',
      'EPRT |2|::1|5000|',
      'EPRT |1|127.0.0.1|1023|',
    ]) {
      expect((await ftp.ask(line)).code, line).toBe(504)
      expect((await ftp.ask('RETR x')).code).toBe(425)
    }
    expect(events.filter((event) => event.type === 'noise')).toHaveLength(6)
  })

  test('never come from another address (port stealing)', async () => {
    const { port, events } = await openFtp({ source })
    const ftp = await RawFtp.login(port)
    const thief = await ftp.data('127.0.0.2')
    const stolen = collect(thief)
    await until(() => thief.closed)
    expect((await stolen).length).toBe(0)
    expect(events).toContainEqual({
      type: 'noise',
      protocol: 'ftp',
      client: '127.0.0.1',
      message: expect.stringMatching(/127\.0\.0\.2 .*127\.0\.0\.1/),
    })
    expect((await ftp.fetch('RETR x')).bytes.toString()).toBe('x')
  })

  test('still come from the client after a thief was turned away from the port', async () => {
    const { port } = await openFtp({ source })
    const ftp = await RawFtp.login(port)
    const passive = Number(/\|(\d+)\|/.exec((await ftp.ask('EPSV')).text)?.[1])
    const thief = connect({ host: '127.0.0.1', port: passive, localAddress: '127.0.0.2' })
    await collect(thief.on('error', () => {}))
    const bytes = collect(connect(passive, '127.0.0.1'))
    await ftp.ask('RETR x')
    expect((await bytes).toString()).toBe('x')
  })

  test('use the configured range of ports only, and each port serves one session at a time', async () => {
    const { port } = await openFtp({
      source,
      // Below the ports that Linux gives to outgoing connections, such as those of other tests.
      passivePorts: { from: 21_310, to: 21_311 },
      publicAddress: '192.0.2.7',
    })
    const clients = [await RawFtp.login(port), await RawFtp.login(port), await RawFtp.login(port)]
    const [a, b, c] = clients
    const ports = [await a?.ask('PASV'), await b?.ask('EPSV')].map((reply) => reply?.text)
    // 21310 is 83 * 256 + 62.
    expect(ports[0]).toMatch(/\(192,0,2,7,83,6[23]\)/)
    expect(ports[1]).toMatch(/\(\|\|\|2131[01]\|\)/)
    expect((await c?.ask('EPSV'))?.code).toBe(425)
    a?.socket.destroy()
    for (;;) if ((await c?.ask('EPSV'))?.code === 229) break
  })

  test('EPSV refuses the other network protocol, and after EPSV ALL nothing but EPSV is taken', async () => {
    const { port } = await openFtp({ source })
    const ftp = await RawFtp.login(port)
    expect((await ftp.ask('EPSV 2')).text).toContain('use (1)')
    expect((await ftp.ask('EPSV 1')).code).toBe(229)
    expect((await ftp.ask('EPSV ALL')).code).toBe(200)
    for (const line of ['PASV', 'PORT 127,0,0,1,20,0', 'EPRT |1|127.0.0.1|5000|'])
      expect((await ftp.ask(line)).code, line).toBe(501)
    expect((await ftp.fetch('RETR x')).bytes.toString()).toBe('x')
  })

  test('work over IPv6, where PASV cannot', async () => {
    const { port } = await openFtp({ source, bind: '::1' })
    const ftp = await RawFtp.open(port, { host: '::1' })
    await ftp.reply()
    await ftp.ask('USER ftp')
    await ftp.ask('PASS x')
    expect((await ftp.ask('PASV')).code).toBe(425)
    expect((await ftp.ask('EPSV 1')).text).toContain('use (2)')
    expect((await ftp.fetch('RETR x')).bytes.toString()).toBe('x')
  })
})

test('an IPv4 client of a service that listens on every address is an IPv4 client', async () => {
  const { port } = await openFtp({ source, bind: '::' })
  const ftp = await RawFtp.login(port)
  expect((await ftp.ask('PASV')).text).toMatch(/\(127,0,0,1,\d+,\d+\)/)
  expect((await ftp.fetch('RETR x')).bytes.toString()).toBe('x')
  expect((await ftp.ask('PORT 127,0,0,1,200,0')).code).toBe(200)
})

describe('there is a limit', () => {
  test('of sessions, in all and from one address', async () => {
    const { port, service, events } = await openFtp({ source, limits: { sessions: 3, sessionsPerClient: 2 } })
    const first = await RawFtp.open(port)
    const second = await RawFtp.open(port)
    expect([(await first.reply()).code, (await second.reply()).code]).toEqual([220, 220])
    expect((await (await RawFtp.open(port)).reply()).text).toContain('from your address')
    const third = await RawFtp.open(port, { from: '127.0.0.2' })
    expect((await third.reply()).code).toBe(220)
    expect((await (await RawFtp.open(port, { from: '127.0.0.3' })).reply()).text).toContain('in all')
    expect(events.filter(({ type }) => type === 'noise')).toMatchObject([
      { protocol: 'ftp', client: '127.0.0.1', message: expect.stringContaining('2 from this address') },
      { protocol: 'ftp', client: '127.0.0.3', message: expect.stringContaining('3 in all') },
    ])
    first.socket.destroy()
    await until(() => service.sessions === 2)
    expect((await (await RawFtp.open(port)).reply()).code).toBe(220)
  })

  test('of idle time, before and after login, and of a transfer that stands still', async () => {
    const folder = temporaryFolder()
    writeBelow(folder, 'big', randomBytes(20_000_000))
    // A login on a busy machine takes longer than a tenth of a second.
    const limits = { idleMs: 1000, loginMs: 500, stallMs: 300 }
    const { port, events } = await openFtp({ source: diskSource(folder), limits })
    const early = await RawFtp.open(port)
    await early.reply()
    expect((await early.reply()).text).toContain('421 No login in time')
    const ftp = await RawFtp.login(port)
    const stuck = await ftp.data()
    await ftp.ask('RETR big')
    expect((await ftp.reply()).code).toBe(426)
    stuck.destroy()
    expect((await ftp.reply()).text).toContain('421 Idle')
    expect(events.at(-1)).toMatchObject({ type: 'served', outcome: 'aborted' })
  })

  test('of the length of a line, and of unknown commands in a row', async () => {
    const { port } = await openFtp({ source, limits: { lineBytes: 100 } })
    const ftp = await RawFtp.login(port)
    expect((await ftp.ask(`CWD ${'x'.repeat(10_000)}`)).code).toBe(500)
    expect((await ftp.ask('FROB')).code).toBe(502)
    expect((await ftp.ask('NOOP')).code).toBe(200)
    // NOOP ended the count. The twentieth line in a row that is no known command ends the session.
    for (let i = 0; i < 19; i++) ftp.send('GET / HTTP/1.1\r\n')
    for (let i = 0; i < 19; i++) expect((await ftp.reply()).code).toBe(502)
    expect((await ftp.ask('Host: x')).code).toBe(421)
  })

  test('of names in listings to one client, until those before have ended', async () => {
    // 9 MB of lines: more than the buffers of a data connection take.
    const names = Array<Entry>(45_000).fill(textEntry('n'.repeat(200), '', 0))
    const folders: Readonly<Record<string, readonly Entry[]>> = {
      '/large': names,
      '/a': names.slice(0, 3),
      '/b': names.slice(0, 4),
    }
    const source: FileSource = {
      stat: () => Promise.resolve(undefined),
      list: (path) => Promise.resolve(folders[path]),
    }
    const { port } = await openFtp({ source, limits: { listedNamesPerClient: 45_003 } })
    const slow = await RawFtp.login(port)
    const data = await slow.data()
    expect((await slow.ask('NLST large')).code).toBe(150)
    const ftp = await RawFtp.login(port)
    const ends = async (line: string) => (await ftp.fetch(line)).last.code
    // The entries of `large` are shared.
    expect(await ends('NLST a')).toBe(226)
    for (const verb of ['LIST', 'NLST', 'MLSD']) expect(await ends(`${verb} b`)).toBe(450)
    expect(await ends('NLST large')).toBe(226)
    await collect(data)
    expect((await slow.reply()).code).toBe(226)
    expect(await ends('LIST b')).toBe(226)
  })

  test('of commands that wait: a flood is still answered, in order', async () => {
    const { port } = await openFtp({ source, limits: { queuedCommands: 8, commandsPerSecond: 5000 } })
    const ftp = await RawFtp.login(port)
    ftp.send('NOOP\r\n'.repeat(3000))
    ftp.send('QUIT\r\n')
    for (let i = 0; i < 3000; i++) expect((await ftp.reply()).code).toBe(200)
    expect((await ftp.reply()).code).toBe(221)
  })
})

describe('STAT of a folder', () => {
  test('a folder of 1000 names is shown by STAT, and a larger one by LIST', async () => {
    const { entries } = requestLimits.ftpStatus
    const names = (folder: string, count: number) =>
      Array.from({ length: count }, (_, i) => [`/${folder}/${i}`, 'x'] as const)
    const files = Object.fromEntries([...names('full', entries), ...names('fuller', entries + 1)])
    const { port } = await openFtp({ source: memorySource(files) })
    const ftp = await RawFtp.login(port)
    const shown = await ftp.ask('STAT full')
    expect([shown.code, shown.text.split('\r\n').length]).toEqual([213, entries + 2])
    expect((await ftp.ask('STAT fuller')).code).toBe(501)
    expect((await ftp.ask('STAT fuller/1*')).code).toBe(213)
    expect((await ftp.fetch('LIST fuller')).bytes.toString().split('\r\n')).toHaveLength(entries + 2)
  })

  test('beside a transfer is made once at a time, however often it was sent', async () => {
    let isReleased = false
    const waiting: (() => void)[] = []
    const held: FileSource = {
      stat: (...asked) => memory.stat(...asked),
      async list(...asked) {
        if (!isReleased) await new Promise<void>((resolve) => waiting.push(resolve))
        return memory.list(...asked)
      },
    }
    const memory = memorySource({ '/big': Buffer.alloc(30_000_000), '/folder/x': 'x' })
    const { port } = await openFtp({ source: held })
    const ftp = await RawFtp.login(port)
    const data = await ftp.data()
    expect((await ftp.ask('RETR big')).code).toBe(150)
    ftp.send(`${'STAT folder\r\n'.repeat(50)}ABOR\r\n`)
    // ABOR came last, and ended the transfer when all of them had come.
    await collect(data)
    expect(waiting).toHaveLength(1)
    isReleased = true
    waiting[0]?.()
    const codes: number[] = []
    for (let i = 0; i < 52; i++) codes.push((await ftp.reply()).code)
    expect(codes.filter((code) => code === 213)).toHaveLength(50)
    expect(codes.filter((code) => code !== 213)).toEqual([426, 226])
  })
})

test('a thousand idle sessions do not keep other clients out', async () => {
  const { port, service } = await openFtp({ source, limits: { sessionsPerClient: 2000 } })
  const idle = Array.from({ length: 1000 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  await until(() => service.sessions === 1000)
  const ftp = await RawFtp.login(port)
  expect((await ftp.fetch('RETR x')).bytes.toString()).toBe('x')
  for (const socket of idle) socket.destroy()
  await until(() => service.sessions === 1)
})

test('a client that vanishes in the middle leaves no open descriptor', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'big', randomBytes(20_000_000))
  const { port, service } = await openFtp({ source: diskSource(folder) })
  const descriptors = () => readdirSync('/proc/self/fd').length
  const before = descriptors()
  for (let i = 0; i < 20; i++) {
    const ftp = await RawFtp.login(port)
    // By turns: no data connection, one without a transfer, one that is reset during it, one that is closed.
    if (i % 4 === 0) await ftp.ask('PASV')
    else {
      const socket = await ftp.data()
      if (i % 4 > 1) await ftp.ask('RETR big')
      if (i % 4 === 2) socket.resetAndDestroy()
      else socket.destroy()
    }
    ftp.socket.destroy()
  }
  await until(() => service.sessions === 0 && descriptors() <= before)
})

test('stop sends the last reply, and closes every session', async () => {
  const { port, service } = await openFtp({ source })
  const ftp = await RawFtp.login(port)
  const stopped = service.stop()
  expect((await ftp.reply()).code).toBe(421)
  await stopped
  expect(service.sessions).toBe(0)
})

test('arbitrary bytes never crash the service, and every reply to them is well formed', async () => {
  const { port } = await openFtp({ source, limits: { sessionsPerClient: 2000 } })
  const verbs = [
    'USER ftp',
    'PASS x',
    'EPSV',
    'PASV',
    'RETR x',
    'LIST',
    'REST 1',
    'ABOR',
    'STAT',
    'CWD',
    'PORT',
    'EPRT',
    'OPTS MLST',
    'MLST',
    'AUTH TLS',
    'REIN',
    'SITE',
  ]
  const line = fc
    .tuple(fc.constantFrom(...verbs), anyText())
    .map(([verb, rest]) => Buffer.from(`${verb} ${rest}\r\n`))
  const input = fc.array(fc.oneof(line, fc.uint8Array({ maxLength: 80 })), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(input, async (chunks) => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      const replies = collect(socket)
      for (const chunk of chunks) socket.write(chunk)
      socket.end('\r\nQUIT\r\n')
      for (const reply of (await replies).toString().split('\r\n').slice(0, -1))
        expect(reply).toMatch(/^([1-5]\d\d[ -]| )/)
    }),
    { numRuns: runs(60) },
  )
  expect((await (await RawFtp.login(port)).fetch('RETR x')).bytes.toString()).toBe('x')
})

test('a path never leads out of the root', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'root/in', 'inside')
  writeBelow(folder, 'out', 'outside')
  const { port } = await openFtp({
    source: diskSource(`${folder}/root`),
    limits: { commandsPerSecond: 10_000 },
  })
  const ftp = await RawFtp.login(port)
  const part = fc.constantFrom('..', '.', '', 'in', 'out', 'root', '%2e%2e', '..\\', '~', '\u2025', folder)
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
      await ftp.ask(`CWD ${parts.join('/')}`)
      expect((await ftp.ask('PWD')).text).toBe('257 "/" is the current folder')
      // `in` has 6 bytes, `out` has 7.
      const size = await ftp.ask(`SIZE ${parts.join('/')}`)
      expect(size.code > 500 || size.text === '213 6').toBe(true)
    }),
    { numRuns: runs(200) },
  )
})

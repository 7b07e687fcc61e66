import { randomBytes } from 'node:crypto'
import { symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diskSource } from '../../../server/files/disk.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { collect, openFtp, RawFtp } from '../../support/ftp.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const when = Date.UTC(2024, 0, 2, 3, 4, 5)
const tree = memorySource(
  { '/trees/f/40/.treeinfo': '[general]\n', '/trees/f/40/images/vmlinuz': 'kernel', '/trees/a"b': 'x' },
  when,
)

async function client() {
  const { port, events, service } = await openFtp({ source: tree })
  return { ftp: await RawFtp.login(port), events, port, service }
}

describe('logging in', () => {
  test('anonymous may log in with any password, and nothing works before', async () => {
    const { port } = await openFtp({ source: tree })
    const ftp = await RawFtp.open(port)
    expect((await ftp.reply()).code).toBe(220)
    for (const line of ['RETR x', 'PASV', 'CWD /', 'LIST', 'STOR x', 'STAT /'])
      expect((await ftp.ask(line)).code, line).toBe(530)
    expect((await ftp.ask('PASS x')).code).toBe(503)
    expect((await ftp.ask('USER root')).code).toBe(530)
    expect((await ftp.ask('USER Anonymous')).code).toBe(331)
    expect((await ftp.ask('PASS ')).code).toBe(230)
    expect((await ftp.ask('QUIT')).code).toBe(221)
    expect((await ftp.reply()).code).toBe(0)
  })

  test('wrong passwords are counted over all connections of an address', async () => {
    let asked = 0
    const authenticate = ({ password }: { password: string }) => {
      asked++
      return password === 'right'
    }
    const { port } = await openFtp({ source: tree, authenticate, limits: { loginTriesPerMinute: 4 } })
    const ftp = await RawFtp.open(port)
    await ftp.reply()
    for (const code of [530, 530, 421]) {
      await ftp.ask('USER root')
      expect((await ftp.ask('PASS wrong')).code).toBe(code)
    }
    // After the fourth wrong one each further one ends its session, and the right one still gets in.
    for (let i = 0; i < 2; i++) {
      const guessing = await RawFtp.open(port)
      await guessing.reply()
      await guessing.ask('USER root')
      expect((await guessing.ask('PASS wrong')).code).toBe(421)
    }
    const again = await RawFtp.open(port)
    await again.reply()
    await again.ask('USER root')
    expect((await again.ask('PASS right')).code).toBe(230)
    expect(asked).toBe(6)
    expect((await again.ask('USER ftp')).code).toBe(331)
    expect((await again.ask('PASS x')).code).toBe(230)
  })
})

describe('finding files', () => {
  test('CWD over several levels, relative and absolute; PWD doubles quotes', async () => {
    const { ftp } = await client()
    expect((await ftp.ask('CWD trees/f/40')).code).toBe(250)
    expect((await ftp.ask('PWD')).text).toBe('257 "/trees/f/40" is the current folder')
    expect((await ftp.ask('SIZE images/vmlinuz')).text).toBe('213 6')
    expect((await ftp.ask('SIZE /trees/f/40//./images/../.treeinfo')).text).toBe('213 10')
    expect((await ftp.ask('CWD images/vmlinuz')).code).toBe(550)
    expect((await ftp.ask('CDUP')).text).toBe('250 Now in "/trees/f"')
    expect((await ftp.ask('CWD ../../../../..')).text).toBe('250 Now in "/"')
    expect((await ftp.ask('MLST /trees/a"b')).text).toContain(' /trees/a"b')
  })

  test('550 means that a file or folder does not exist', async () => {
    const { ftp } = await client()
    for (const line of [
      'SIZE /trees/none',
      'SIZE /trees',
      'CWD /none',
      'RETR /none',
      'RETR /trees',
      'MDTM /none',
      'MLST /none',
      'LIST /none',
      'NLST none/*',
    ])
      expect((await ftp.ask(line)).code, line).toBe(550)
  })

  test('a control character in a name is refused', async () => {
    const { ftp } = await client()
    for (const verb of ['CWD', 'SIZE', 'RETR', 'MLST', 'LIST', 'MLSD', 'NLST', 'STAT'])
      expect((await ftp.ask(`${verb} a\u0007b`)).code, verb).toBe(553)
  })

  test('MDTM shows the time, and MLST the facts that the client chose', async () => {
    const { ftp } = await client()
    expect((await ftp.ask('MDTM trees/f/40/.treeinfo')).text).toBe('213 20240102030405')
    expect((await ftp.ask('OPTS MLST size;Type;foo;')).text).toBe('200 MLST OPTS type;size;')
    expect((await ftp.ask('MLST trees/f/40/.treeinfo')).text).toBe(
      '250-Facts\r\n type=file;size=10; /trees/f/40/.treeinfo\r\n250 End',
    )
    expect((await ftp.ask('FEAT')).text).toContain('\r\n MLST type*;size*;modify;perm;\r\n')
  })
})

describe('transfers', () => {
  test('LIST, NLST and MLSD show what a folder has', async () => {
    const { ftp } = await client()
    expect((await ftp.fetch('LIST -la trees/f/40')).bytes.toString()).toMatch(
      /^-r--r--r-- +1 ftp +ftp +10 \w{3} 02 .{5} \.treeinfo\r\ndr-xr-xr-x .* images\r\n$/,
    )
    expect((await ftp.fetch('NLST')).bytes.toString()).toBe('trees\r\n')
    expect((await ftp.fetch('NLST trees/f/40')).bytes.toString()).toBe(
      'trees/f/40/.treeinfo\r\ntrees/f/40/images\r\n',
    )
    expect((await ftp.fetch('NLST trees/f/40/im*')).bytes.toString()).toBe('trees/f/40/images\r\n')
    expect((await ftp.fetch('MLSD trees/f/40')).bytes.toString()).toBe(
      'type=file;size=10;modify=20240102030405;perm=r; .treeinfo\r\ntype=dir;modify=20240102030405;perm=el; images\r\n',
    )
    expect((await ftp.fetch('MLSD trees/f/40/.treeinfo')).last.code).toBe(501)
  })

  test('RETR sends a file, from an offset too, and each is recorded', async () => {
    const folder = temporaryFolder()
    const bytes = randomBytes(3_000_000)
    writeBelow(folder, 'big', bytes)
    const { port, events } = await openFtp({ source: diskSource(folder) })
    const ftp = await RawFtp.login(port)
    expect((await ftp.fetch('RETR big')).bytes.equals(bytes)).toBe(true)
    for (const offset of [1, 1_000_000, 2_999_999, 3_000_000]) {
      expect((await ftp.ask(`REST ${offset}`)).code).toBe(350)
      const { bytes: rest, last } = await ftp.fetch('RETR big')
      expect(rest.equals(bytes.subarray(offset))).toBe(true)
      expect(last.code).toBe(226)
    }
    await ftp.ask('REST 3000001')
    expect((await ftp.ask('RETR big')).code).toBe(550)
    expect((await ftp.fetch('RETR big')).bytes.length).toBe(3_000_000)
    const recorded = events.flatMap((event) =>
      event.type === 'served' ? [[event.path, event.outcome, event.bytes]] : [],
    )
    expect(recorded).toEqual([
      ['/big', 'complete', 3_000_000],
      ['/big', 'complete', 2_999_999],
      ['/big', 'complete', 2_000_000],
      ['/big', 'complete', 1],
      ['/big', 'complete', 0],
      ['/big', 'failed', 0],
      ['/big', 'complete', 3_000_000],
    ])
  })

  test('without a data connection the reply is 425', async () => {
    const { ftp } = await client()
    expect((await ftp.ask('RETR trees/f/40/.treeinfo')).code).toBe(425)
    expect((await ftp.ask('LIST')).code).toBe(425)
  })

  test('a data connection that never comes ends in 425', async () => {
    const { port } = await openFtp({ source: tree, limits: { connectMs: 30 } })
    const ftp = await RawFtp.login(port)
    await ftp.ask('EPSV')
    expect((await ftp.ask('RETR trees/f/40/.treeinfo')).code).toBe(425)
  })

  test('commands cut anywhere, or sent all at once, are answered in order', async () => {
    const { ftp } = await client()
    ftp.send('NO')
    ftp.send('OP\r')
    ftp.send('\nSIZE trees/f/40/.treeinfo\r\nCWD trees\r\nPWD\r\nQUIT\r\n')
    const codes = []
    for (let i = 0; i < 5; i++) codes.push((await ftp.reply()).code)
    expect(codes).toEqual([200, 213, 250, 257, 221])
  })

  test('during a transfer STAT is answered, ABOR ends the transfer, and QUIT lets it finish', async () => {
    const folder = temporaryFolder()
    // More than the kernel buffers: the transfer is under way until its bytes are read.
    writeBelow(folder, 'big', randomBytes(30_000_000))
    const { port, events } = await openFtp({ source: diskSource(folder) })
    const ftp = await RawFtp.login(port)
    const stuck = await ftp.data()
    expect((await ftp.ask('RETR big')).code).toBe(150)
    expect((await ftp.ask('STAT')).text).toMatch(/Sending \/big \(30000000 bytes\): \d+ bytes so far/)
    ftp.send('ABOR\r\n')
    expect([(await ftp.reply()).code, (await ftp.reply()).code]).toEqual([426, 226])
    stuck.destroy()
    expect((await ftp.ask('STAT')).text).toContain('No transfer')
    const socket = await ftp.data()
    expect((await ftp.ask('RETR big')).code).toBe(150)
    ftp.send('QUIT\r\n')
    expect((await collect(socket)).length).toBe(30_000_000)
    expect([(await ftp.reply()).code, (await ftp.reply()).code]).toEqual([226, 221])
    expect(events.map((event) => (event.type === 'served' ? event.outcome : event.type))).toEqual([
      'sending',
      'aborted',
      'sending',
      'complete',
    ])
  })

  test('ABOR in the same segment as RETR still ends the transfer', async () => {
    const { ftp } = await client()
    const socket = await ftp.data()
    ftp.send('RETR trees/f/40/.treeinfo\r\nABOR\r\nNOOP\r\n')
    expect([(await ftp.reply()).code, (await ftp.reply()).code, (await ftp.reply()).code]).toEqual([
      426, 226, 200,
    ])
    socket.destroy()
    expect((await ftp.fetch('RETR trees/f/40/.treeinfo')).last.code).toBe(226)
  })

  test('PORT and EPRT connect to the client', async () => {
    const { ftp } = await client()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = address && typeof address === 'object' ? address.port : 0
    for (const line of [`PORT 127,0,0,1,${port >> 8},${port & 255}`, `EPRT |1|127.0.0.1|${port}|`]) {
      expect((await ftp.ask(line)).code).toBe(200)
      const arrived = new Promise<Buffer>((resolve) =>
        server.once('connection', (socket) => resolve(collect(socket))),
      )
      expect((await ftp.ask('RETR trees/f/40/images/vmlinuz')).code).toBe(150)
      expect((await arrived).toString()).toBe('kernel')
      expect((await ftp.reply()).code).toBe(226)
    }
    server.close()
  })
})

test('a symlink that leads out of the root does not exist', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'root/x', 'x')
  writeBelow(folder, 'secret', 'secret')
  symlinkSync(join(folder, 'secret'), join(folder, 'root/leak'))
  const { port } = await openFtp({ source: diskSource(join(folder, 'root')) })
  const ftp = await RawFtp.login(port)
  for (const path of ['leak', '../secret', '/../secret', '/x/../../secret'])
    expect((await ftp.ask(`RETR ${path}`)).text, path).toMatch(/^550 .*No such file/s)
  expect((await ftp.ask('RETR nothing')).text).not.toContain(folder)
})

test('without an upload area every command that writes is refused', async () => {
  const { ftp } = await client()
  for (const line of [
    'STOR x',
    'APPE x',
    'MKD x',
    'RMD trees',
    'DELE trees/a"b',
    'RNFR trees',
    'RNTO y',
    'MFMT 20240101000000 x',
    'SITE PUBLISH',
  ])
    expect((await ftp.ask(line)).code, line).toBe(550)
})

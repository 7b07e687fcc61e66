import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Client } from 'basic-ftp'
import { describe, expect, test } from 'vitest'
import { memorySource } from '../../../server/files/memory.ts'
import type { PublishReport } from '../../../server/files/upload-area.ts'
import { eventually } from '../../support/eventually.ts'
import { openFtp, RawFtp } from '../../support/ftp.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'
import { uploadFolder } from '../../support/upload-folder.ts'

const source = memorySource({ '/trees/a/.treeinfo': 'x' })
const authenticate = ({ user, password }: { user: string; password: string }) =>
  user === 'admin' && password === 'secret'

async function inputs(publish?: () => PublishReport, onClose?: (path: string, outcome: string) => void) {
  const folder = temporaryFolder()
  const { port } = await openFtp({ source, authenticate, uploads: uploadFolder(folder, publish, onClose) })
  return { folder, port, ftp: await RawFtp.login(port, 'admin', 'secret') }
}

describe('an administrator', () => {
  test('sees the upload area beside the trees', async () => {
    const { ftp } = await inputs()
    expect((await ftp.fetch('NLST /')).bytes.toString()).toBe('/trees\r\n/incoming\r\n')
    expect((await ftp.ask('CWD incoming')).code).toBe(250)
    expect((await ftp.ask('MLST /incoming')).text).toContain('perm=flcdmpe; /incoming')
    expect((await ftp.ask('MLST /trees')).text).toContain('perm=el; /trees')
  })

  test('stores, resumes and appends; what came before stays', async () => {
    const { ftp, folder } = await inputs()
    const bytes = randomBytes(300_000)
    expect((await ftp.ask('MKD /incoming/f')).text).toBe('257 "/incoming/f" created')
    await ftp.ask('CWD /incoming/f')
    expect((await ftp.put('STOR x', bytes.subarray(0, 1000))).code).toBe(226)
    expect((await ftp.ask('SIZE x')).text).toBe('213 1000')
    await ftp.ask('REST 1000')
    expect((await ftp.put('STOR x', bytes.subarray(1000, 200_000))).code).toBe(226)
    expect((await ftp.put('APPE x', bytes.subarray(200_000))).code).toBe(226)
    expect(readFileSync(join(folder, 'f/x')).equals(bytes)).toBe(true)
    await ftp.ask('REST 100')
    expect((await ftp.put('STOR x', Buffer.from('end'))).code).toBe(226)
    expect(
      readFileSync(join(folder, 'f/x')).equals(Buffer.concat([bytes.subarray(0, 100), Buffer.from('end')])),
    ).toBe(true)
    await ftp.ask('REST 5000')
    expect((await ftp.put('STOR x', bytes)).text).toBe('553 /f/x has 103 bytes, none at 5000')
    expect(statSync(join(folder, 'f/x')).size).toBe(103)
  })

  test('keeps the part that arrived before the connection broke', async () => {
    const { ftp, folder } = await inputs()
    const socket = await ftp.data()
    expect((await ftp.ask('STOR /incoming/x')).code).toBe(150)
    socket.write(Buffer.alloc(1000))
    for (;;) if (/: 1000 bytes/.test((await ftp.ask('STAT')).text)) break
    socket.resetAndDestroy()
    expect((await ftp.reply()).code).toBe(426)
    expect(statSync(join(folder, 'x')).size).toBe(1000)
    const second = await ftp.data()
    await ftp.ask('STOR /incoming/y')
    second.write('abc')
    ftp.send('ABOR\r\n')
    expect([(await ftp.reply()).code, (await ftp.reply()).code]).toEqual([426, 226])
  })

  test('cannot complete a file that ends before its announced length, or together with its client', async () => {
    const closed: string[] = []
    const { ftp, folder, port } = await inputs(undefined, (path, outcome) =>
      closed.push(`${path} ${outcome}`),
    )
    await ftp.ask('CWD incoming')
    expect((await ftp.ask('ALLO 10')).code).toBe(202)
    expect((await ftp.put('STOR short', Buffer.from('123456789'))).code).toBe(426)
    await ftp.ask('ALLO 10')
    await ftp.ask('REST 9')
    expect((await ftp.put('STOR short', Buffer.from('0'))).code).toBe(226)
    // ALLO counts for one upload.
    expect((await ftp.put('STOR short', Buffer.from('less'))).code).toBe(226)

    const killed = await RawFtp.login(port, 'admin', 'secret')
    const socket = await killed.data()
    expect((await killed.ask('STOR /incoming/killed')).code).toBe(150)
    socket.end('half')
    killed.socket.end()
    await eventually(() => expect(closed).toHaveLength(4))
    expect(closed).toEqual(['/short partial', '/short complete', '/short complete', '/killed partial'])
    expect(readFileSync(join(folder, 'killed'), 'utf8')).toBe('half')
  })

  test('renames, removes and sets times', async () => {
    const { ftp, folder } = await inputs()
    await ftp.ask('CWD incoming')
    await ftp.put('STOR a', Buffer.from('a'))
    expect((await ftp.ask('RNTO b')).code).toBe(503)
    expect((await ftp.ask('RNFR none')).code).toBe(550)
    expect((await ftp.ask('RNFR a')).code).toBe(350)
    expect((await ftp.ask('RNTO b')).code).toBe(250)
    expect((await ftp.ask('RNFR b')).code).toBe(350)
    expect((await ftp.ask('NOOP')).code).toBe(200)
    expect((await ftp.ask('RNTO c')).code).toBe(503)
    expect((await ftp.ask('RNFR b')).code).toBe(350)
    expect((await ftp.ask('FROB')).code).toBe(502)
    expect((await ftp.ask('RNTO c')).code).toBe(503)
    expect((await ftp.ask('MFMT 20200102030405 b')).text).toBe('213 Modify=20200102030405; /incoming/b')
    expect((await ftp.ask('MDTM b')).text).toBe('213 20200102030405')
    await ftp.ask('MKD d')
    expect((await ftp.ask('MKD d')).code).toBe(550)
    await ftp.put('STOR d/x', Buffer.from('x'))
    expect((await ftp.ask('RMD d')).text).toBe('550 /d is not empty')
    expect((await ftp.ask('DELE d/x')).code).toBe(250)
    expect((await ftp.ask('RMD d')).code).toBe(250)
    expect((await ftp.ask('DELE b')).code).toBe(250)
    expect((await ftp.ask('DELE b')).text).toBe('550 No such file or folder')
    expect(existsSync(join(folder, 'd'))).toBe(false)
  })

  test('can write nowhere else', async () => {
    const { ftp } = await inputs()
    for (const line of [
      'STOR /x',
      'STOR /trees/a/.treeinfo',
      'STOR /incoming/../x',
      'APPE /incoming/../../etc/x',
      'MKD /incoming',
      'DELE /trees/a/.treeinfo',
      'RMD /incoming',
      'RNFR /trees/a',
      'STOR /incomingx',
      'STOR',
      'MKD /incoming/a\u0001b',
    ])
      expect((await ftp.ask(line)).code, line).toBeGreaterThanOrEqual(550)
    await ftp.put('STOR /incoming/x', Buffer.from('x'))
    await ftp.ask('RNFR /incoming/x')
    expect((await ftp.ask('RNTO /trees/y')).code).toBe(550)
  })

  test('publishes, or learns what is wrong', async () => {
    const good = await inputs()
    expect((await good.ftp.ask('SITE PUBLISH /trees')).code).toBe(550)
    expect((await good.ftp.ask('SITE PUBLISH /incoming/f')).text).toBe(
      '250-Publishing /incoming/f\r\n /f\r\n250 Published',
    )
    const bad = await inputs(() => ({ outcome: 'refused', lines: ['vmlinuz: expected sha256:1, found 2'] }))
    await bad.ftp.ask('CWD incoming')
    expect((await bad.ftp.ask('SITE PUBLISH')).text).toContain(
      '\r\n vmlinuz: expected sha256:1, found 2\r\n550 ',
    )
  })
})

test('anonymous can neither see nor change the upload area', async () => {
  const { port } = await inputs()
  const ftp = await RawFtp.login(port)
  expect((await ftp.fetch('NLST /')).bytes.toString()).toBe('/trees\r\n')
  for (const line of ['CWD incoming', 'STOR /incoming/x', 'MKD /incoming/x', 'SITE PUBLISH /incoming'])
    expect((await ftp.ask(line)).code, line).toBe(550)
})

test('basic-ftp uploads a folder and removes it', async () => {
  const { port, folder } = await inputs()
  const client = new Client()
  await client.access({ host: '127.0.0.1', port, user: 'admin', password: 'secret' })
  await client.ensureDir('/incoming/tree/images')
  await client.uploadFrom(Readable.from([Buffer.from('part '), Buffer.from('two')]), 'x')
  await client.appendFrom(Readable.from([Buffer.from(' three')]), 'x')
  expect(readFileSync(join(folder, 'tree/images/x'), 'utf8')).toBe('part two three')
  await client.removeDir('/incoming/tree')
  expect(existsSync(join(folder, 'tree'))).toBe(false)
  client.close()
})

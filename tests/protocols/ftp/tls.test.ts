import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { connect } from 'node:tls'
import { Client } from 'basic-ftp'
import { expect, test } from 'vitest'
import { memorySource } from '../../../server/files/memory.ts'
import { FtpListener } from '../../../server/protocols/ftp/server.ts'
import { openFtp, RawFtp } from '../../support/ftp.ts'

/** Made for these tests, for the name localhost, and good until 2126. */
const pem = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name))
const tls = { key: pem('localhost.key'), cert: pem('localhost.crt') }
const big = Buffer.alloc(2_000_000, 'treeboot')
const source = memorySource({ '/trees/big': big })

test('basic-ftp reads and lists over TLS', async () => {
  const { port } = await openFtp({ source, tls })
  const client = new Client()
  await client.access({
    host: '127.0.0.1',
    port,
    secure: true,
    secureOptions: { ca: tls.cert, servername: 'localhost' },
  })
  const chunks: Buffer[] = []
  await client.downloadTo(
    new Writable({
      write(chunk, _, done) {
        chunks.push(chunk)
        done()
      },
    }),
    '/trees/big',
  )
  expect(Buffer.concat(chunks).equals(big)).toBe(true)
  expect((await client.list('/trees')).map(({ name, size }) => [name, size])).toEqual([['big', big.length]])
  client.close()
})

test('what follows AUTH in the clear is never obeyed', async () => {
  const { port } = await openFtp({ source, tls })
  const ftp = await RawFtp.login(port)
  ftp.send('AUTH TLS\r\nREST 7\r\nMKD x\r\n')
  expect((await ftp.reply()).code).toBe(234)
  ftp.socket.removeAllListeners('data')
  const secure = connect({ socket: ftp.socket, ca: tls.cert, servername: 'localhost' })
  const said = new Promise<string>((resolve) => {
    let text = ''
    secure.on('data', (chunk) => {
      text += chunk
    })
    secure.on('close', () => resolve(text))
  })
  secure.write('PWD\r\nPBSZ 0\r\nPROT S\r\nPROT P\r\nAUTH TLS\r\nCCC\r\nQUIT\r\n')
  expect((await said).match(/^\d{3}/gm)).toEqual(['530', '200', '536', '200', '503', '534', '221'])
})

test('without a certificate there is no AUTH', async () => {
  const { port } = await openFtp({ source })
  const ftp = await RawFtp.login(port)
  expect((await ftp.ask('AUTH TLS')).code).toBe(502)
  expect((await ftp.ask('PROT P')).code).toBe(503)
  expect((await ftp.ask('FEAT')).text).not.toContain('AUTH')
})

test('an unusable certificate is said at once', () => {
  const open = () =>
    new FtpListener({
      bind: '127.0.0.1',
      port: 0,
      source,
      events: () => {},
      tls: { key: tls.key, cert: 'nonsense' },
    })
  expect(open).toThrow(/FTP cannot use its TLS key and certificate/)
})

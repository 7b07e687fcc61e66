import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { connect } from 'node:tls'
import { Client } from 'basic-ftp'
import { expect, test } from 'vitest'
import { memorySource } from '../../../server/files/memory.ts'
import { openFtp, RawFtp } from '../../support/ftp.ts'

/** Made for these tests, for the name localhost, and good until 2126. */
const pem = (name: string) => join(import.meta.dirname, '../../fixtures/tls', name)
const tls = { key: pem('localhost.key'), certificate: pem('localhost.crt') }
const ca = readFileSync(tls.certificate)
const big = Buffer.alloc(2_000_000, 'treeboot')
const source = memorySource({ '/trees/big': big })

test('basic-ftp reads and lists over TLS', async () => {
  const { port } = await openFtp({ source, tls })
  const client = new Client()
  await client.access({
    host: '127.0.0.1',
    port,
    secure: true,
    secureOptions: { ca, servername: 'localhost' },
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

test('commands that follow AUTH in the clear are never obeyed', async () => {
  const { port } = await openFtp({ source, tls })
  const ftp = await RawFtp.login(port)
  ftp.send('AUTH TLS\r\nREST 7\r\nMKD x\r\n')
  expect((await ftp.reply()).code).toBe(234)
  ftp.socket.removeAllListeners('data')
  const secure = connect({ socket: ftp.socket, ca, servername: 'localhost' })
  const replies = new Promise<string>((resolve) => {
    let text = ''
    secure.on('data', (chunk) => {
      text += chunk
    })
    secure.on('close', () => resolve(text))
  })
  secure.write('PWD\r\nPBSZ 0\r\nPROT S\r\nPROT P\r\nAUTH TLS\r\nCCC\r\nQUIT\r\n')
  expect((await replies).match(/^\d{3}/gm)).toEqual(['530', '200', '536', '200', '503', '534', '221'])
})

test('without a certificate AUTH is not offered', async () => {
  const { port } = await openFtp({ source })
  const ftp = await RawFtp.login(port)
  expect((await ftp.ask('AUTH TLS')).code).toBe(502)
  expect((await ftp.ask('PROT P')).code).toBe(503)
  expect((await ftp.ask('FEAT')).text).not.toContain('AUTH')
})

test.each([
  ['that does not exist', pem('none.crt')],
  ['that is not PEM', import.meta.filename],
])('a certificate %s is an error at the start, with its name', async (_, certificate) => {
  const failure = await openFtp({ source, tls: { ...tls, certificate } }).catch((error) => error)
  expect(failure).toMatchObject({ kind: 'invalid-data', message: expect.stringContaining(certificate) })
})

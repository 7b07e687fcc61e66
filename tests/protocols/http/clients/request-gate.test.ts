import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memorySource } from '../../../../server/files/memory.ts'
import type { Fallback } from '../../../../server/protocols/http/server.ts'
import { runs } from '../../../support/fuzz.ts'
import { type OpenService, openListener } from '../../../support/http.ts'

/**
 * The gate cuts what a client pipelines into requests. It guesses where a body ends, so requests with bodies of
 * every form go through it, in packets that are cut anywhere: each must be answered, whole, alone and in order.
 */

let open: OpenService
let inProgress = 0
let mostInProgress = 0
/** Echoes a request when its body is there, a little later. */
const fallback: Fallback = (req, res) => {
  inProgress++
  mostInProgress = Math.max(mostInProgress, inProgress)
  const chunks: Buffer[] = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () =>
    setImmediate(() => {
      inProgress--
      res.end(`[${req.method} ${req.url} ${Buffer.concat(chunks).toString('latin1')}]`)
    }),
  )
}
beforeAll(async () => {
  open = await openListener({ source: memorySource({}), isAppPath: () => true, fallback })
})
afterAll(() => open.service.stop())

interface Sent {
  readonly text: string
  readonly echo: string
}

const body = fc.oneof(
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\x20-\x7e]/g, '\n')),
  // Bodies that look like the end of a head, or like requests.
  fc.constantFrom(
    '\r\n\r\n',
    '\n\n',
    'GET /inner HTTP/1.1\r\nHost: x\r\n\r\n',
    '0\r\n\r\n',
    'x'.repeat(9000),
  ),
)

const plain = fc
  .tuple(fc.constantFrom('GET', 'DELETE'), fc.nat(99))
  .map(([method, n]) => ({ text: `${method} /${n} HTTP/1.1\r\nHost: x\r\n\r\n`, echo: `[${method} /${n} ]` }))
const withLength = fc.tuple(fc.nat(99), body).map(([n, text]) => ({
  text: `POST /${n} HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  echo: `[POST /${n} ${text}]`,
}))
const chunked = fc
  .tuple(fc.nat(99), fc.array(body, { maxLength: 3 }), fc.boolean())
  .map(([n, texts, more]) => {
    const parts = texts.filter((text) => text !== '')
    const chunks = parts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
    const trailer = more ? 'X-Trailer: 1\r\n' : ''
    return {
      text: `PUT /${n} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${trailer}\r\n`,
      echo: `[PUT /${n} ${parts.join('')}]`,
    }
  })

function converse(requests: readonly Sent[], cuts: readonly number[]): Promise<string> {
  const text = requests.map((each) => each.text).join('')
  const wanted = requests.map(({ echo }) => echo).join('').length
  return new Promise((resolve) => {
    let read = ''
    const echoes = (): string =>
      [...read.matchAll(/\r\nContent-Length: (\d+)[\s\S]*?\r\n\r\n/g)]
        .map((found) => read.slice(found.index + found[0].length).slice(0, Number(found[1])))
        .join('')
    const socket = connect(open.port, '127.0.0.1', async () => {
      let from = 0
      for (const at of [...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length]) {
        if (at > from) socket.write(Buffer.from(text.slice(from, at), 'latin1'))
        from = Math.max(from, at)
        await new Promise((turn) => setImmediate(turn))
      }
    })
    const silence = setTimeout(() => socket.destroy(), 3000)
    socket.setNoDelay(true).on('error', () => {})
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1')
      if (echoes().length >= wanted) socket.destroy()
    })
    socket.on('close', () => {
      clearTimeout(silence)
      resolve(echoes())
    })
  })
}

test('each of several requests in any packets is answered, alone and in order', async () => {
  const request = fc.oneof(plain, withLength, chunked)
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(2000), { maxLength: 4 }),
      async (requests, cuts) => {
        mostInProgress = 0
        expect(await converse(requests, cuts)).toBe(requests.map(({ echo }) => echo).join(''))
        expect(mostInProgress).toBe(1)
      },
    ),
    { numRuns: runs(150) },
  )
})

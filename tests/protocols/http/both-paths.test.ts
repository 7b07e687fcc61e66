import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import type { Requester } from '../../../server/core/net/requester.ts'
import { generatedSource } from '../../../server/files/generated.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { mountTable } from '../../../server/namespace/mounts.ts'
import type { Fallback } from '../../../server/protocols/http/server.ts'
import { searches } from '../../support/fuzz.ts'
import { type OpenService, openListener } from '../../support/http.ts'

/**
 * The fast path is a second HTTP parser. Random requests go through a service that has it and through one
 * that has only node:http, and both must answer with the same bytes.
 */

const modifiedMs = Date.UTC(2024, 1, 3, 4, 5, 6, 789)
const lastModified = new Date(modifiedMs).toUTCString()

/** Whom the service sees, as text: both paths must see the same client. */
function describe({ connection: _connection, ...who }: Requester): string {
  return JSON.stringify(Object.entries(who).sort())
}

function files(): FileSource {
  const byName = memorySource(
    {
      '/tree/.treeinfo': '[general]\nfamily = Fedora\n',
      '/tree/initrd.gz': new Uint8Array(70_000).fill(0x1f),
      '/tree/empty': '',
      '/tree/shimx64.efi': 'MZ',
      '/tree/page.html': '<p>',
      '/tree/a b/ü.txt': 'ü',
    },
    modifiedMs,
  )
  const made = generatedSource({
    text: async (path, who) => {
      if (path === '/broken') throw new Failure('invalid-data', 'web.ks:3: no such variable')
      return path === '/web01' ? describe(who) : undefined
    },
    paths: () => ['/web01', '/broken'],
    now: () => modifiedMs,
  })
  return mountTable([
    { at: cleanPath('/ks'), source: made, why: 'answer files' },
    { at: rootPath, source: byName, why: 'files' },
  ])
}

let fast: OpenService
let node: OpenService
let etag = ''
beforeAll(async () => {
  const isAppPath = (path: string) => path === '/' || path.startsWith('/api')
  const fallback: Fallback = (req, res, who) => res.end(`${req.method} ${req.url} ${describe(who)}`)
  const options = { source: files(), isAppPath, fallback }
  fast = await openListener({ ...options, fastPath: true })
  node = await openListener({ ...options, fastPath: false })
  const [response = ''] = await converse(fast.port, [
    { text: 'GET /tree/.treeinfo HTTP/1.1\r\nHost: x\r\n\r\n', count: 1 },
  ])
  etag = /ETag: (\S+)/.exec(response)?.[1] ?? ''
})
afterAll(() => Promise.all([fast.service.stop(), node.service.stop()]))

/** What a client sends before it waits for responses, and how many of them it waits for. */
interface Turn {
  readonly text: string
  readonly count: number
  /** Where the text is cut into packets. */
  readonly cuts?: readonly number[]
}

const methodOf = (head: string): string => /^[A-Z]+/.exec(head)?.[0] ?? ''

/**
 * The responses of one connection, as they came, up to its end. A turn that is not answered ends the
 * conversation.
 */
function converse(port: number, turns: readonly Turn[]): Promise<string[]> {
  return new Promise((resolve) => {
    const responses: string[] = []
    const left = [...turns]
    let expected: string[] = []
    let read = ''
    const socket = connect(port, '127.0.0.1', () => next())
    const silence = setTimeout(() => socket.destroy(), 3000)
    socket.setNoDelay(true)
    const next = (): void => {
      const turn = left.shift()
      if (!turn) return void socket.destroy()
      expected = turn.text.split('\r\n\r\n').map(methodOf).slice(0, turn.count)
      void sendInPackets(turn)
    }
    const sendInPackets = async ({ text, cuts = [] }: Turn): Promise<void> => {
      let from = 0
      for (const at of [...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]) {
        if (at > from && !socket.destroyed) socket.write(Buffer.from(text.slice(from, at), 'latin1'))
        from = at
        await new Promise((turnOver) => setImmediate(turnOver))
      }
    }
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1')
      for (
        let whole = takeResponse(read, expected[0]);
        whole !== undefined;
        whole = takeResponse(read, expected[0])
      ) {
        read = read.slice(whole.length)
        responses.push(comparable(whole))
        if (!whole.startsWith('HTTP/1.1 100')) expected.shift()
        if (expected.length === 0) return next()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(silence)
      resolve(read === '' ? responses : [...responses, `UNFINISHED ${read}`])
    })
  })
}

/** The first whole response of what was read so far. */
function takeResponse(read: string, method: string | undefined): string | undefined {
  const end = read.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = read.slice(0, end)
  const status = Number(head.split(' ')[1])
  if (/\r\nTransfer-Encoding: chunked/i.test(head)) {
    const last = read.indexOf('\r\n0\r\n\r\n', end)
    return last < 0 ? undefined : read.slice(0, last + 7)
  }
  const length = Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1] ?? 0)
  const whole = end + 4 + (method === 'HEAD' || status === 304 || status === 100 ? 0 : length)
  return read.length < whole ? undefined : read.slice(0, whole)
}

/** Without what differs by design: the time, and the random separator of several ranges. */
function comparable(response: string): string {
  return response.replace(/\r\nDate: [^\r]*/, '').replace(/treeboot-[0-9a-f]{36}/g, 'SEPARATOR')
}

/** Files that the fast path can send. */
const smallFile = fc.constantFrom('/tree/.treeinfo', '/tree/empty', '/tree/page.html', '/ks/web01')

const target = fc.oneof(
  smallFile,
  fc.constantFrom(
    '/tree/initrd.gz',
    '/tree/shimx64.efi',
    '/tree/a%20b/%C3%BC.txt',
    '/tree',
    '/tree/',
    '//tree/./x/../.treeinfo',
    '/%2e%2e/tree/%2etreeinfo',
    '/tree/none',
    '/ks/web01?mac=52:54:00:aa:bb:01&uuid=U',
    '/ks/web01#x',
    '/ks/broken',
    '/',
    '/api/v1/x?y',
    'http://other.example/ks/web01',
    '/%zz',
    '/%00',
    `/${'x'.repeat(2100)}`, // the fast path takes requests of up to 2048 bytes
  ),
)

/** Targets that boot loaders send and that are not URLs. */
const oddTarget = fc.oneof(
  target,
  fc.constantFrom('/tree/a b/\xc3\xbc.txt', '/a\tb', '*', 'tree/.treeinfo', '', '/tree/a\0b'),
)

const harmlessLine = fc.constantFrom(
  'User-Agent: curl/8.5.0',
  'Accept: */*',
  'Accept: text/html',
  'Accept: application/json',
  'Accept:',
  'ACCEPT-ENCODING: gzip, br',
  'Connection: keep-alive',
  'Connection: Keep-Alive',
  'Cache-Control: no-cache',
  'X-Anaconda-Architecture: x86_64',
)

const range = fc
  .array(fc.tuple(fc.option(fc.nat(30)), fc.option(fc.nat(80_000))), { minLength: 1, maxLength: 3 })
  .map((ranges) => `Range: bytes=${ranges.map(([from, to]) => `${from ?? ''}-${to ?? ''}`).join(',')}`)

const headerLine = fc.oneof(
  harmlessLine,
  range,
  fc.constantFrom(
    'user-agent:   UefiHttpBoot/1.0  ',
    'Accept-Language: \t de',
    'Connection: close',
    'Connection: upgrade, keep-alive',
    'X-RHN-Provisioning-MAC-0: eth0 52:54:00:aa:bb:01',
    'X-System-Serial-Number: S',
    'Cookie: _Syslinux_BOOTIF=01-52-54-00-aa-bb-04; _Syslinux_SYSUUID=V',
    'Content-Length: 0',
    'Upgrade: h2c',
    'TE: trailers',
    'X-Long: '.padEnd(3000, 'x'),
    'X-Latin: \xfc',
    `If-Modified-Since: ${lastModified}`,
    'If-Modified-Since: yesterday',
    'If-Unmodified-Since: Mon, 01 Jan 2024 00:00:00 GMT',
    'If-None-Match: *',
    'If-None-Match: ETAG',
    'If-Match: ETAG',
    'If-Match: "other"',
    'If-Range: ETAG',
  ),
)

/** Lines that a parser must refuse, or that two parsers may read in two ways. */
const oddLine = fc.constantFrom(
  'Host: second.example',
  'Host : x',
  ' folded: x',
  'no colon',
  ': empty',
  'Bad Name: x',
  'X-Nul: a\0b',
  'Content-Length: 5',
  'Content-Length: x',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Expect: 100-continue',
  'Expect: the impossible',
)

const host = fc.constantFrom(
  'Host: boot.example',
  'Host: boot.example:8080',
  'host:x',
  'Host: [::1]:80',
  'Host:  a b',
)
const method = fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE')
const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ')

/** The text of a request, with the body that its headers announce. */
function requestOf(lines: readonly string[]): string {
  const length = lines.includes('Content-Length: 5') ? 'hello' : ''
  const chunked = lines.includes('Transfer-Encoding: chunked') ? '0\r\n\r\n' : ''
  return `${lines.join('\r\n').replaceAll('ETAG', etag)}\r\n\r\n${length}${chunked}`
}

/** A request that the fast path answers, but for at most one line that may send it to node:http. */
const nearlyPlain = fc
  .tuple(smallFile, host, fc.array(harmlessLine, { maxLength: 2 }), fc.option(headerLine), fc.nat(3))
  .map(([path, name, harmless, other, at]) => {
    const lines: string[] = [name, ...harmless]
    if (other) lines.splice(at % (lines.length + 1), 0, other)
    return [`GET ${path} HTTP/1.1`, ...lines]
  })

/** A request of any kind that both parsers take. */
const soundRequest = fc
  .tuple(method, target, host, fc.array(headerLine, { maxLength: 4 }))
  .map(([verb, path, name, lines]) => [`${verb} ${path} HTTP/1.1`, name, ...lines])

/** A plain request with a line that not every parser takes. It ends its connection. */
const oddRequest = fc.oneof(
  fc
    .tuple(smallFile, host, oddLine, fc.boolean())
    .map(([path, name, odd, first]) => [`GET ${path} HTTP/1.1`, ...(first ? [odd, name] : [name, odd])]),
  fc
    .tuple(
      fc.constantFrom('GET', 'HEAD', 'get', 'G(T'),
      oddTarget,
      version,
      fc.array(headerLine, { maxLength: 2 }),
    )
    .map(([verb, path, name, lines]) => [`${verb} ${path} ${name}`, 'Host: x', ...lines]),
  smallFile.map((path) => [`GET ${path} HTTP/1.1`]),
)

const uncut = fc.constant<number[]>([])
const cuts = fc.oneof({ arbitrary: uncut, weight: 3 }, fc.array(fc.nat(400), { maxLength: 3 }))
const soundTurn = fc.oneof(
  { arbitrary: fc.tuple(fc.tuple(nearlyPlain), uncut), weight: 3 },
  fc.tuple(fc.array(fc.oneof(nearlyPlain, soundRequest), { minLength: 1, maxLength: 3 }), cuts),
)
const conversation = fc.tuple(
  fc.array(soundTurn, { maxLength: 4 }),
  // In one packet: the repair of request lines looks at the first packet of a connection.
  fc.option(fc.tuple(oddRequest, uncut)),
)

test('the same requests get the same responses on the fast path and by node:http alone', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, async ([sound, odd]) => {
      const turns = sound.map(([requests, where]) => ({
        text: requests.map(requestOf).join(''),
        count: requests.length,
        cuts: where,
      }))
      if (odd) turns.push({ text: requestOf(odd[0]), count: 1, cuts: odd[1] })
      const [byFast, byNode] = await Promise.all([converse(fast.port, turns), converse(node.port, turns)])
      expect(byFast).toEqual(byNode)
    }),
    { numRuns: searches(300) },
  )
})

/** The host that the service takes from a request, on either path. */
test.each([
  ['GRUB 2.06', '127.0.0.1', '127.0.0.1:PORT'],
  ['GRUB 2.06', '127.0.0.1:80', '127.0.0.1:80'],
  // Somebody stands between.
  ['GRUB 2.06', '192.0.2.1', '192.0.2.1'],
  ['GRUB 2.06', 'boot.example', 'boot.example'],
  ['curl/7.88.1', '127.0.0.1', '127.0.0.1'],
])('%s that says Host: %s reached us at %s', async (agent, host, expected) => {
  const text = `GET /ks/web01 HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\n\r\n`
  for (const { port } of [fast, node]) {
    const [response = ''] = await converse(port, [{ text, count: 1 }])
    expect(response).toContain(JSON.stringify(['host', expected.replace('PORT', String(port))]))
  }
})

test('of two User-Agent headers the first counts on both paths', async () => {
  const lines = [
    'GET /ks/web01 HTTP/1.1',
    'User-Agent: UefiHttpBoot/1.0',
    'Host: boot.example',
    'User-Agent: curl/8.5.0',
  ]
  const turns = [{ text: `${lines.join('\r\n')}\r\n\r\n`, count: 1, cuts: [] }]
  const [byFast, byNode] = await Promise.all([converse(fast.port, turns), converse(node.port, turns)])
  expect(byFast).toEqual(byNode)
  expect(byFast.join()).toContain('UefiHttpBoot/1.0')
})

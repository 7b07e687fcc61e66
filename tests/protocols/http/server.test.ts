import { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import type { Requester } from '../../../server/core/net/requester.ts'
import { generatedSource } from '../../../server/files/generated.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import type { FileSource } from '../../../server/files/source.ts'
import { mountTable } from '../../../server/namespace/mounts.ts'
import { exchange, get, type OpenService, openListener, request } from '../../support/http.ts'

const treeinfo = '[general]\nfamily = Fedora\n'
const modifiedMs = Date.UTC(2024, 1, 3, 4, 5, 6, 789)

/** A file of 10 bytes that has 5 when it is opened, however often it is looked up. */
const cutFile: FileSource = {
  stat: async () => {
    const file = { size: 5, read: async () => 0, close: async () => {} }
    return { name: 'cut', kind: 'file', size: 10, modifiedMs, etag: 'cut', open: async () => file }
  },
  list: async () => undefined,
}

function inputs(seen: Requester[]): FileSource {
  return mountTable([
    {
      at: cleanPath('/ks'),
      source: generatedSource({
        text: async (path, who) => {
          seen.push(who)
          if (path === '/broken') throw new Failure('invalid-data', 'fedora.ks:3: `hostname` is not defined')
          if (path === '/busy') throw new Failure('unavailable', 'no worker')
          return path === '/web01' ? `# für ${who.macs?.join(' ') ?? 'anyone'}\n` : undefined
        },
        paths: () => ['/web01', '/broken'],
        now: () => modifiedMs,
      }),
      why: 'answer files',
    },
    { at: cleanPath('/cut'), source: cutFile, why: 'a file that is cut' },
    {
      at: rootPath,
      source: memorySource(
        {
          '/tree/.treeinfo': treeinfo,
          '/tree/initrd.gz': new Uint8Array(100_000).fill(0x1f),
          '/tree/empty': '',
          '/tree/shimx64.efi.signed': 'MZ',
          '/tree/a b & <c>/ümlaut.txt': 'ü',
        },
        modifiedMs,
      ),
      why: 'files',
    },
  ])
}

describe.each([
  ['fast path and node:http', true],
  ['node:http alone', false],
])('the HTTP service, %s', (_, fastPath) => {
  let open: OpenService
  const seen: Requester[] = []
  beforeAll(async () => {
    open = await openListener({
      source: inputs(seen),
      fastPath,
      isAppPath: (path) => path === '/' || path === '/api' || path.startsWith('/api/'),
      fallback: (req, res, requester) => {
        seen.push(requester)
        res.end(`app ${req.method} ${req.url}`)
      },
    })
  })
  afterAll(() => open.service.stop())
  const fetch = (target: string, ...lines: string[]) => get(open.port, target, ...lines)

  test('a file has the status line and Content-Length with the very bytes that GRUB compares', async () => {
    const { head, body } = await fetch('/tree/.treeinfo', 'User-Agent: GRUB 2.06')
    expect(head.startsWith('HTTP/1.1 200 OK\r\nContent-Length: 26\r\n')).toBe(true)
    expect(head).toContain('\r\nContent-Type: text/plain; charset=utf-8\r\n')
    expect(head).toContain('\r\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\n')
    expect(head).toMatch(/\r\nETag: "[\w-]+"\r\n/)
    expect(head).toContain('\r\nAccept-Ranges: bytes\r\n')
    expect(head).not.toMatch(/transfer-encoding|content-encoding/i)
    expect(body.toString()).toBe(treeinfo)
  })

  test.each([
    '/tree/.treeinfo',
    '/tree/initrd.gz',
    '/tree/empty',
    '/tree',
    '/tree/',
    '/ks/web01',
    '/none',
    '/ks/broken',
  ])('HEAD %s is GET without its body', async (path) => {
    const withoutDate = (head: string) => head.replace(/\r\nDate: [^\r]*/, '')
    const got = await fetch(path)
    const headed = await exchange(open.port, request('HEAD', path))
    expect(withoutDate(headed.head)).toBe(withoutDate(got.head))
    expect(headed.body.length).toBe(0)
    expect(got.headers['content-length']).toBe(String(got.body.length))
  })

  test.each([
    '/tree//.treeinfo',
    '//tree/.treeinfo',
    '/tree/./.treeinfo',
    '/tree/x/../.treeinfo',
    '/../../tree/.treeinfo',
    '/%2e%2e/tree/%2etreeinfo',
    '/..%2f..%2Ftree%2F.treeinfo',
    'http://boot.example:8080/tree/.treeinfo',
    'HTTP://boot.example//tree//.treeinfo',
    '/tree/.treeinfo?x=1&path=/etc/passwd',
  ])('%s is served at once, without a redirect', async (target) => {
    const { status, body } = await fetch(target)
    expect([status, body.toString()]).toEqual([200, treeinfo])
  })

  test('names beyond ASCII come escaped as UTF-8', async () => {
    expect((await fetch('/tree/a%20b%20&%20%3Cc%3E/%C3%BCmlaut.txt')).body.toString()).toBe('ü')
  })

  test.each(['/%00', '/tree/%0a', '/a%zz', '/a%', '/a%4', `/${'x'.repeat(5000)}`])(
    'nonsense %s is 400 with an empty body',
    async (target) => {
      const { status, headers, body } = await fetch(target)
      expect([status, headers['content-length'], body.length]).toEqual([400, '0', 0])
    },
  )

  test('a missing file is 404 without a byte for machines, with a page for browsers', async () => {
    const machine = await fetch('/tree/none', 'Accept: */*')
    expect([machine.status, machine.headers['content-length'], machine.body.length]).toEqual([404, '0', 0])
    const person = await fetch('/tree/gone/%3Cscript%3E', 'Accept: text/html,*/*;q=0.8')
    expect(person.status).toBe(404)
    expect(person.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(person.body.toString()).toContain('<a href="/tree/">/tree</a>')
    expect(person.body.toString()).not.toContain('<script')
  })

  test('UEFI firmware gets a body with a 404: it would wait for the body of an empty one', async () => {
    const shim = await fetch('/tree/revocations.efi', 'User-Agent: UefiHttpBoot/1.0')
    expect([shim.status, shim.body.toString()]).toEqual([404, 'Not Found\n'])
    expect(shim.headers['content-length']).toBe('10')
  })

  test('gzip is never applied, whatever the client accepts', async () => {
    for (const path of ['/tree/.treeinfo', '/tree/initrd.gz', '/tree']) {
      const { headers } = await fetch(path, 'Accept-Encoding: gzip, deflate, br')
      expect(headers['content-encoding']).toBeUndefined()
    }
  })

  test('an HTTP/1.0 client gets an HTTP/1.1 response with its length, and the connection is closed', async () => {
    const { head, body } = await exchange(open.port, 'GET /tree/initrd.gz HTTP/1.0\r\n\r\n')
    expect(head.startsWith('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n')).toBe(true)
    expect(head).toContain('\r\nConnection: close')
    expect(body.length).toBe(100_000)
  })

  // GRUB 2.06 takes the first header after a 404 for another status line; without the length it would wait 34 s.
  test('a 404 has another header before its length', async () => {
    const { head } = await exchange(open.port, request('GET', '/tree/none'))
    expect(head).toMatch(
      /^HTTP\/1\.1 404 Not Found\r\n(?!Content-Length)[^\r]+\r\n(?:.+\r\n)*?Content-Length: 0\r\n/,
    )
  })

  test('other methods are 405, with the methods that are allowed', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const { status, headers, body } = await exchange(
        open.port,
        request(method, '/tree/.treeinfo', 'Content-Length: 0'),
      )
      expect([status, headers.allow, headers['content-length'], body.length]).toEqual([
        405,
        'GET, HEAD',
        '0',
        0,
      ])
    }
  })

  test('the application answers its own paths, by any method, and gets the requester', async () => {
    expect((await fetch('/')).body.toString()).toBe('app GET /')
    expect(
      (await exchange(open.port, request('POST', '/api/v1/x?y', 'Content-Length: 0'))).body.toString(),
    ).toBe('app POST /api/v1/x?y')
    expect((await fetch('/apis')).status).toBe(404)
    seen.length = 0
    await fetch('/api/v1/lookup?mac=52:54:00:aa:bb:03', 'X-System-Serial-Number: T')
    expect(seen).toMatchObject([{ address: '127.0.0.1', macs: ['52:54:00:aa:bb:03'], serial: 'T' }])
  })

  test('a text that cannot be generated is an error with an empty body, and the event has the reason', async () => {
    open.events.length = 0
    expect((await fetch('/ks/broken')).status).toBe(500)
    expect((await fetch('/ks/busy')).status).toBe(503)
    expect(open.events).toMatchObject([
      {
        type: 'served',
        outcome: 'failed',
        kind: 'invalid-data',
        detail: expect.stringContaining('fedora.ks:3'),
      },
      { type: 'served', outcome: 'failed', kind: 'unavailable' },
    ])
  })

  test('a client is recognised by header, cookie or query, and gets its own text', async () => {
    seen.length = 0
    await fetch('/ks/web01')
    await fetch(
      '/ks/web01',
      'X-RHN-Provisioning-MAC-1: eth1 52:54:00:AA:BB:01',
      'X-RHN-Provisioning-MAC-7: lan0 52-54-00-aa-bb-02',
    )
    const { body } = await fetch('/ks/web01?mac=52%3A54%3A00%3Aaa%3Abb%3A03&uuid=U&serial=S')
    await fetch('/ks/web01', 'Cookie: _Syslinux_BOOTIF=01-52-54-00-aa-bb-04; _Syslinux_SYSUUID=V; x')
    await fetch('/ks/web01', 'X-System-Serial-Number: T')
    const everyone = {
      protocol: 'http',
      address: '127.0.0.1',
      localAddress: '127.0.0.1',
      host: 'boot.example',
      // Tells apart clients that share an address.
      connection: expect.any(Socket),
    }
    expect(seen).toEqual([
      everyone,
      { ...everyone, macs: ['52:54:00:AA:BB:01', '52-54-00-aa-bb-02'] },
      { ...everyone, macs: ['52:54:00:aa:bb:03'], uuid: 'U', serial: 'S' },
      { ...everyone, macs: ['01-52-54-00-aa-bb-04'], uuid: 'V' },
      { ...everyone, serial: 'T' },
    ])
    expect(body.toString()).toBe('# für 52:54:00:aa:bb:03\n')
  })

  test('an EFI program has the type of EFI programs', async () => {
    expect((await fetch('/tree/shimx64.efi.signed')).headers['content-type']).toBe('application/efi')
  })

  test('each response is one event, which counts the bytes of content that went out', async () => {
    open.events.length = 0
    await fetch('/tree//.treeinfo')
    await exchange(open.port, request('HEAD', '/tree/initrd.gz'))
    await fetch('/tree/none')
    await fetch('/tree/none', 'Accept: text/html')
    await fetch('/ks/broken', 'User-Agent: UefiHttpBoot/1.0')
    await fetch('/tree/initrd.gz', 'Range: bytes=0-9')
    await fetch('/tree/initrd.gz', 'If-None-Match: *')
    await fetch('/tree/initrd.gz', 'Range: bytes=100000-')
    await exchange(open.port, request('HEAD', '/tree'))
    const served = { type: 'served', protocol: 'http', client: '127.0.0.1' }
    expect(open.events).toMatchObject([
      { ...served, path: '/tree/.treeinfo', outcome: 'complete', bytes: 26 },
      { ...served, path: '/tree/initrd.gz', outcome: 'complete', bytes: 0 },
      { ...served, path: '/tree/none', outcome: 'failed', kind: 'not-found', bytes: 0 },
      { ...served, path: '/tree/none', outcome: 'failed', kind: 'not-found', bytes: 0 },
      { ...served, path: '/ks/broken', outcome: 'failed', kind: 'invalid-data', bytes: 0 },
      { ...served, path: '/tree/initrd.gz', outcome: 'complete', bytes: 10 },
      { ...served, path: '/tree/initrd.gz', outcome: 'complete', bytes: 0 },
      { ...served, path: '/tree/initrd.gz', outcome: 'complete', bytes: 0 },
      { ...served, path: '/tree', outcome: 'complete', bytes: 0 },
    ])
    const questions = open.events.map((event) => event.type === 'served' && event.question === true)
    expect(questions).toEqual([false, true, false, false, false, false, false, false, true])
  })

  test('a small file that is cut while it is read is never sent short', async () => {
    const { status, body } = await fetch('/cut')
    expect([status, body.length]).toEqual([503, 0])
    const response = await exchange(open.port, request('GET', '/cut', 'Range: bytes=0-5'))
    expect(response.status).toBe(503)
  })

  test('folders have a page with and without the slash, and JSON for scripts', async () => {
    const page = await fetch('/tree', 'Accept: text/html')
    expect(page.status).toBe(200)
    expect(page.body.toString()).toBe((await fetch('/tree/')).body.toString())
    const html = page.body.toString()
    expect(html).toContain('<a href="/tree/.treeinfo">.treeinfo</a>')
    expect(html).toContain('<a href="/tree/a%20b%20%26%20%3Cc%3E/">a b &#38; &#60;c&#62;/</a>')
    expect(html.indexOf('a b')).toBeLessThan(html.indexOf('.treeinfo'))
    const json = await fetch('/tree', 'Accept: application/json')
    expect(JSON.parse(json.body.toString())).toMatchObject({
      path: '/tree',
      entries: [
        { name: '.treeinfo', kind: 'file', size: 26, modified: '2024-02-03T04:05:06.789Z' },
        { name: 'a b & <c>', kind: 'folder' },
        { name: 'empty' },
        { name: 'initrd.gz' },
        { name: 'shimx64.efi.signed' },
      ],
    })
  })
})

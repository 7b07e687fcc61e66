import { connect } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { folderEntry } from '../../../../server/files/entry.ts'
import { rootPath } from '../../../../server/files/path.ts'
import type { Entry, FileSource } from '../../../../server/files/source.ts'
import { FolderPages } from '../../../../server/protocols/http/files/folder-pages.ts'
import { isSearch } from '../../../support/fuzz.ts'
import { exchange, get, type OpenService, openListener, request } from '../../../support/http.ts'

let open: OpenService | undefined
afterEach(() => open?.service.stop())

/** A folder whose entries count how often they were written down. */
function counted(count: number) {
  const seen = { written: 0 }
  const entries: Entry[] = Array.from({ length: count }, (_, i) => ({
    ...folderEntry(`file-${String(i).padStart(6, '0')}`, 0),
    kind: 'file',
    get modifiedMs() {
      seen.written++
      return 0
    },
  }))
  const source: FileSource = {
    stat: async () => folderEntry('', 0),
    list: async () => entries,
  }
  return { seen, source, entries }
}

test('the page of a small folder is made once while its list stays the same', () => {
  const pages = new FolderPages()
  const { entries } = counted(3)
  const page = pages.whole('page', rootPath, entries)
  expect(pages.whole('page', rootPath, entries)).toBe(page)
  expect(pages.whole('json', rootPath, entries)).not.toEqual(page)
  const longer = [...entries, folderEntry('more', 0)]
  expect(pages.whole('page', rootPath, longer).toString()).toContain('more')
})

test.each([
  ['page', 'text/html', '</html>'],
  ['json', 'application/json', ']}'],
])('a long listing arrives whole as %s, and HEAD has its head', async (_, accept, end) => {
  const { source } = counted(5000)
  open = await openListener({ source })
  const { status, head, body } = await get(open.port, '/', `Accept: ${accept}`, 'Connection: close')
  expect(status).toBe(200)
  expect(head).toContain('\r\nTransfer-Encoding: chunked')
  const text = body.toString().replace(/\r\n[0-9a-f]+\r\n/g, '')
  expect(text.match(/file-\d{6}/g)?.filter((name) => name === 'file-004999')).not.toEqual([])
  expect(text.trim()).toContain(end)
  const old = await exchange(open.port, `GET / HTTP/1.0\r\nAccept: ${accept}\r\n\r\n`)
  expect(old.head).not.toContain('chunked')
  expect(old.body.toString()).toContain('file-004999')
  const headed = await exchange(open.port, request('HEAD', '/', `Accept: ${accept}`))
  expect([headed.status, headed.body.length]).toEqual([200, 0])
  expect(headed.headers['content-type']).toContain(accept)
})

// It takes two seconds.
test.runIf(isSearch)(
  'a client that does not read a long listing has it made only as far as it reads',
  async () => {
    const { seen, source } = counted(200_000)
    open = await openListener({ source })
    const silent = connect(open.port, '127.0.0.1').pause()
    silent.write(request('GET', '/'))
    // It stops when the buffers of both kernels are full.
    let before = -1
    await vi.waitFor(
      () => {
        const now = seen.written
        const isSame = now === before && now > 0
        before = now
        expect(isSame).toBe(true)
      },
      { timeout: 15_000, interval: 300 },
    )
    expect(seen.written).toBeLessThan(100_000)
    const { body } = await get(
      open.port,
      '/',
      'Accept: application/json',
      'Range: bytes=0-1',
      'Connection: close',
    )
    expect(body.length).toBeGreaterThan(0)
    silent.destroy()
  },
  30_000,
)

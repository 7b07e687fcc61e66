import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { upstreamLimits } from '../../../server/core/limits/upstreams.ts'
import { Crawl } from '../../../server/intake/mirror/crawl.ts'
import { fetchFile } from '../../../server/intake/mirror/fetch-file.ts'
import { fetchLists } from '../../../server/intake/mirror/fetch-lists.ts'
import { HttpUpstream } from '../../../server/intake/mirror/http-upstream.ts'
import { UpstreamPool } from '../../../server/intake/mirror/upstream-pool.ts'
import { stating } from '../../support/stating.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

/** A pool of one upstream on HTTP, whose responses are given here, until the test ends. */
async function poolOf(respond: (url: string, res: ServerResponse) => void): Promise<UpstreamPool> {
  const server = createServer((req, res) => respond(req.url ?? '', res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const pool = new UpstreamPool([new HttpUpstream(`http://127.0.0.1:${port}/`)], {
    pause: async () => undefined,
  })
  onTestFinished(async () => {
    await pool.close()
    server.closeAllConnections()
    server.close()
  })
  return pool
}

test('bytes that came without a validator are not resumed by an older one', async () => {
  const part = join(temporaryFolder(), 'part')
  writeFileSync(part, 'old')
  writeFileSync(`${part}.from`, '"old"')
  let isFirst = true
  const pool = await poolOf((_, res) => {
    // Every later try is refused, and leaves the bytes of the first as they are.
    if (!isFirst) return void res.writeHead(503).end()
    isFirst = false
    // Another file, from its first byte, without an ETag, and cut off once these bytes are on the disk.
    res.writeHead(200, { 'Content-Length': '9' })
    res.write('newer')
    const untilWritten = setInterval(() => {
      if (readFileSync(part, 'utf8') !== 'newer') return
      clearInterval(untilWritten)
      res.destroy()
    }, 5)
  })
  await expect(fetchFile(pool, { path: 'a' }, part)).rejects.toThrow()
  expect(readFileSync(part, 'utf8')).toBe('newer')
  expect(existsSync(`${part}.from`)).toBe(false)
})

test('folders without end are refused, not cut off somewhere', async () => {
  const page = (name: string) => (url: string, res: ServerResponse) =>
    void res.setHeader('Content-Type', 'text/html').end(`<a href="${name}${url.length}/">a folder</a>`)
  await expect(new Crawl(await poolOf(page('d'))).walk()).rejects.toMatchObject({ kind: 'too-large' })
  // One that holds itself, and no file.
  const pool = await poolOf((_, res) => res.setHeader('Content-Type', 'text/html').end('<a href="d/">d/</a>'))
  const crawl = new Crawl(pool)
  await crawl.walk()
  expect(crawl).toMatchObject({ files: [], twins: [{ folder: 'd/' }] })
  await expect(crawl.walk('d/')).resolves.toBeUndefined()
})

describe('lists of checksums beside an image', () => {
  const listing = async (lists: Readonly<Record<string, Buffer>>) => {
    const folder = join(temporaryFolder(), 'lists')
    const pool = await poolOf((url, res) => {
      const list = lists[url.slice(1)]
      const page = Object.keys(lists).map((name) => `<a href="${name}">${name}</a>`)
      if (list) res.end(list)
      else res.setHeader('Content-Type', 'text/html').end(page.join('\n'))
    })
    await fetchLists(folder, pool, 'x.iso')
    return readdirSync(folder)
  }
  const { bytes, entries } = upstreamLimits.upstreamLists

  test('are fetched, 40 at most, those of the image among them', async () => {
    const lists = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          `${i === count - 1 ? 'x.iso' : i}.sha256`,
          Buffer.from('-'),
        ]),
      )
    expect(await listing(lists(entries))).toHaveLength(entries)
    const fetched = await listing(lists(entries + 1))
    expect(fetched).toHaveLength(entries)
    expect(fetched).toContain('x.iso.sha256')
  })

  test('of 4 MiB are fetched, and a longer one is an error', async () => {
    expect(await listing({ SHA256SUMS: Buffer.alloc(bytes) })).toEqual(['SHA256SUMS'])
    await expect(listing({ SHA256SUMS: Buffer.alloc(bytes + 1) })).rejects.toMatchObject({
      message: expect.stringMatching(stating('SHA256SUMS', `more than the ${bytes} bytes`)),
    })
  })
})

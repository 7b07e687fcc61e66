import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { crawl } from '../../../server/intake/mirror/crawl.ts'
import { fetchFile } from '../../../server/intake/mirror/fetch-file.ts'
import { HttpUpstream } from '../../../server/intake/mirror/http-upstream.ts'
import { UpstreamPool } from '../../../server/intake/mirror/upstream-pool.ts'
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
  const pool = await poolOf((_, res) => res.setHeader('Content-Type', 'text/html').end('<a href="d/">d/</a>'))
  await expect(crawl(pool)).rejects.toMatchObject({ kind: 'too-large' })
})

import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AddressGuard } from '../../../server/intake/mirror/address-guard.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { ftpServing, mirrorInputs } from '../../support/mirror.ts'
import { makeTree } from '../../support/tree-folder.ts'

/** A server that sends everybody elsewhere, until the test ends. Counts the requests. */
async function redirecting(to: (path: string) => string) {
  const asked: string[] = []
  const server = createServer((req, res) => {
    asked.push(req.url ?? '')
    res.writeHead(302, { location: to(req.url ?? '/') }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const bound = server.address()
  return { asked, url: `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}/` }
}

async function inputs() {
  const given = await mirrorInputs()
  makeTree(join(given.upstream, 'os'))
  const fetch = (url: string, listed: string[]) =>
    mirrorTree(given.store, [url], { id: 'x', guard: new AddressGuard(listed), fetching: given.fetching })
  return { ...given, fetch }
}

describe('a fetch for a client of the API', () => {
  test('reaches an address of this machine that is listed, and no other path of its server', async () => {
    const { server, fetch } = await inputs()
    const listed = [`${server.url}/os/`]
    expect((await fetch(`${server.url}/os/`, listed)).trees[0]?.result.outcome).toBe('published')
    const before = server.requests.length
    await expect(fetch(`${server.url}/`, listed)).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(fetch(`${server.url}/os2/`, listed)).rejects.toMatchObject({ kind: 'forbidden' })
    expect(server.requests.length).toBe(before)
  })

  test.each(['127.0.0.1', 'localhost', '0.0.0.0', '[::ffff:127.0.0.1]', '2130706433'])(
    'does not follow a redirect to %s',
    async (host) => {
      const { server, fetch } = await inputs()
      const port = new URL(server.url).port
      const first = await redirecting((path) => `http://${host}:${port}/os${path}`)
      await expect(fetch(first.url, [first.url])).rejects.toMatchObject({
        kind: 'forbidden',
        message: expect.stringContaining('imports.allow'),
      })
      expect(first.asked).toHaveLength(1)
      expect(server.requests).toEqual([])
    },
  )

  test('does not follow the second of two redirects, and follows to what is listed', async () => {
    const { server, fetch } = await inputs()
    const second = await redirecting((path) => `${server.url}/os${path}`)
    const first = await redirecting((path) => `${second.url.slice(0, -1)}${path}`)
    await expect(fetch(first.url, [first.url, second.url])).rejects.toMatchObject({ kind: 'forbidden' })
    expect(server.requests).toEqual([])
    const { trees } = await fetch(first.url, [first.url, second.url, `${server.url}/os`])
    expect(trees[0]?.result.outcome).toBe('published')
  })

  test('does not use a connection to a listed URL for others of that server', async () => {
    const { server, fetch } = await inputs()
    const port = new URL(server.url).port
    // The same server under a name: by it nothing but /os is listed.
    const named = `http://localhost:${port}/os/`
    expect((await fetch(named, [named])).trees[0]?.result.outcome).toBe('published')
    server.faultOf = () => undefined
    await expect(fetch(`http://localhost:${port}/`, [named])).rejects.toMatchObject({ kind: 'forbidden' })
  })

  test('goes by FTP only where it may', async () => {
    const { upstream, fetch } = await inputs()
    const ftp = await ftpServing(upstream)
    await expect(fetch(`${ftp}/os/`, [])).rejects.toMatchObject({ kind: 'forbidden' })
    const named = ftp.replace('127.0.0.1', 'localhost')
    await expect(fetch(`${named}/os/`, [`${ftp}/os/`])).rejects.toMatchObject({ kind: 'forbidden' })
    expect((await fetch(`${ftp}/os/`, [`${ftp}/os/`])).trees[0]?.result.outcome).toBe('published')
  })

  test('is refused with the line that allows it', () => {
    const guard = new AddressGuard([])
    const line = (url: string) => `imports: { allow: ["${url}"] }`
    expect(() => guard.checkUrl(new URL('http://10.0.0.7:8080/os/'))).toThrow(line('http://10.0.0.7:8080/'))
    expect(() => guard.checkUrl(new URL('http://[fd00::7]/os/'))).toThrow(line('http://[fd00::7]/'))
    expect(() => guard.checkUrl(new URL('http://[::ffff:127.0.0.1]/os/'))).toThrow(line('http://127.0.0.1/'))
  })

  test('goes by rsync to the address that was checked', async () => {
    const { fetch } = await inputs()
    await expect(fetch('rsync://127.0.0.1:1/m/', [])).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(fetch('rsync://localhost:1/m/', [])).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(fetch('rsync://[::1]:1/m/', ['rsync://127.0.0.1:1/'])).rejects.toMatchObject({
      kind: 'forbidden',
    })
    const guard = new AddressGuard(['rsync://localhost:1/'])
    expect(['127.0.0.1', '::1']).toContain(await guard.addressOf(new URL('rsync://localhost:1/m/')))
  })
})

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fetchFile } from '../../../server/intake/mirror/fetch-file.ts'
import { FtpUpstream } from '../../../server/intake/mirror/ftp-upstream.ts'
import { HttpUpstream } from '../../../server/intake/mirror/http-upstream.ts'
import { namesOnPage } from '../../../server/intake/mirror/index-page.ts'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { UpstreamPool } from '../../../server/intake/mirror/upstream-pool.ts'
import { builtFile } from '../../support/built-file.ts'
import { isSearch } from '../../support/fuzz.ts'
import { expectSame, filesBelow, ftpServing, mirrorInputs } from '../../support/mirror.ts'
import { makeRepository, somePackages } from '../../support/rpm-repository.ts'
import { tarOf } from '../../support/tar.ts'
import { imagesOfTree, makeTree, treeinfoText, writeBelow } from '../../support/tree-folder.ts'

test('what the descriptors name is fetched, and nothing else', async () => {
  const { upstream, trees, mirror, server } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(20))
  writeBelow(upstream, 'f/Packages/unnamed.rpm', 'nobody names it')
  const { trees: found } = await mirror('/f/')
  expect(found[0]).toMatchObject({
    id: 'fedora-40-server-x86_64',
    result: { outcome: 'published', findings: [] },
  })
  const tree = join(trees, 'fedora-40-server-x86_64')
  expect(filesBelow(tree)).toEqual(
    filesBelow(join(upstream, 'f')).filter((name) => !name.includes('unnamed')),
  )
  expectSame(tree, join(upstream, 'f'))
  expect(server.requests.some((line) => line.includes('unnamed'))).toBe(false)
})

test('repositories beside the tree are fetched, and the references to them stay valid', async () => {
  const { upstream, trees, mirror } = await mirrorInputs()
  const os = '9/BaseOS/x86_64/os'
  const extra =
    '\n[variant-AppStream]\nid = AppStream\nuid = AppStream\nname = AppStream\ntype = variant\nrepository = ../../../AppStream/x86_64/os\n'
  makeTree(join(upstream, os), { extra, family: 'AlmaLinux', version: '9.4' })
  makeRepository(join(upstream, os), somePackages(3))
  makeRepository(join(upstream, '9/AppStream/x86_64/os'), somePackages(4, 'q'))
  const { trees: found } = await mirror(`/${os}`, { id: 'alma' })
  expect(found[0]?.result).toMatchObject({ outcome: 'published', findings: [] })
  expectSame(join(upstream, '9'), join(trees, 'alma'))
})

test('an upstream that is busy, cuts and damages files is retried and resumed, until the bytes are the same', async () => {
  const { upstream, trees, mirror, server, pauses } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  server.faultOf = (path, time) => {
    if (path.endsWith('vmlinuz') && time === 1) return { kind: 'status', status: 503, retryAfter: '7' }
    if (path.endsWith('vmlinuz') && time === 2) return { kind: 'status', status: 429 }
    if (path.endsWith('install.img') && time === 1) return { kind: 'cut', after: 6 }
    if (path.endsWith('initrd.img') && time === 1) return { kind: 'flip' }
    return undefined
  }
  const { trees: found } = await mirror('/f')
  expect(found[0]?.result.outcome).toBe('published')
  expectSame(join(upstream, 'f'), join(trees, 'fedora-40-server-x86_64'))
  expect(pauses).toContain(7000)
  expect(server.requests).toContain('GET /f/images/install.img bytes=6-')
})

test('files that stay damaged are all named, and the tree is published without them only if that is accepted', async () => {
  const { upstream, trees, mirror, server } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(5))
  // A missing file is not damage: it is only noted.
  rmSync(join(upstream, 'f/Packages/p/p4-1-1.noarch.rpm'))
  server.faultOf = (path) => (/install\.img|p2-1/.test(path) ? { kind: 'flip' } : undefined)
  await expect(mirror('/f')).rejects.toThrow(
    /\b2 files\b.*--accept.*(install.img.*p2-1-1|p2-1-1.*install.img)/s,
  )
  expect(readdirSync(trees)).toEqual(['.treeboot'])
  const { trees: accepted, notes } = await mirror('/f', { accept: { by: 'root', why: 'known' } })
  expect(notes.toSorted()).toEqual([
    expect.stringMatching(/^Packages\/p\/p2-1-1.* sha256 /),
    expect.stringMatching(/^Packages\/p\/p4-1-1\.noarch\.rpm /),
    expect.stringMatching(/^images\/install\.img .* sha256 /),
  ])
  expect(accepted[0]?.result).toMatchObject({ outcome: 'published', record: { accepted: { why: 'known' } } })
})

test('files that the first mirror lacks or has damaged come from the second', async () => {
  const { upstream, trees, store, server, fetching } = await mirrorInputs()
  makeTree(join(upstream, 'bad'))
  makeTree(join(upstream, 'good'))
  server.faultOf = (path) => {
    if (path === '/bad/images/install.img') return { kind: 'flip' }
    if (path === '/bad/images/pxeboot/vmlinuz') return { kind: 'status', status: 404 }
    return undefined
  }
  const urls = [`${server.url}/bad/`, `${server.url}/good/`]
  const { trees: found } = await mirrorTree(store, urls, { fetching, id: 'f' })
  expect(found[0]?.result.outcome).toBe('published')
  expectSame(join(upstream, 'good'), join(trees, 'f'))
})

test('unchanged files are hard links to the current version, and an unchanged upstream publishes nothing', async () => {
  const { upstream, trees, store, mirror, server } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(10))
  await mirror('/f', { id: 'f' })
  expect((await mirror('/f', { id: 'f' })).unchanged).toBe(true)
  expect(await store.versions('f')).toHaveLength(1)
  const packages = somePackages(11)
  makeRepository(join(upstream, 'f'), packages)
  server.requests.length = 0
  const again = await mirror('/f', { id: 'f' })
  expect(again.unchanged).toBe(false)
  expect(server.requests.filter((line) => line.includes('/Packages/'))).toEqual([
    'GET /f/Packages/p/p10-1-1.noarch.rpm',
  ])
  const inode = (version: number, path: string) =>
    statSync(join(trees, '.treeboot/versions/f', String(version), path)).ino
  expect(inode(2, 'Packages/p/p3-1-1.noarch.rpm')).toBe(inode(1, 'Packages/p/p3-1-1.noarch.rpm'))
})

test('boot-only fetches what boots and records the URL of the rest', async () => {
  const { upstream, trees, store, mirror } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(10))
  const { trees: found } = await mirror('/f/', { id: 'f', bootOnly: true })
  expect(found[0]?.result.outcome).toBe('published')
  expect(filesBelow(join(trees, 'f'))).toEqual(['.treeinfo', ...Object.keys(imagesOfTree())].sort())
  expect((await store.versions('f'))[0]?.upstream).toMatch(/^http:.*\/f\/$/)
})

test('a mirror that is down is not asked for every file', async () => {
  const { upstream, trees, store, server, fetching, pauses } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(40))
  server.faultOf = (path) =>
    path.startsWith('/down/') ? { kind: 'status', status: 503, retryAfter: '60' } : undefined
  const urls = [`${server.url}/down/`, `${server.url}/f/`]
  const { trees: found } = await mirrorTree(store, urls, { fetching, id: 'f' })
  expect(found[0]?.result.outcome).toBe('published')
  expect(server.requests.filter((line) => line.includes(' /down/'))).toEqual(['GET /down/.treeinfo'])
  expect(pauses).toEqual([])
  expectSame(join(upstream, 'f'), join(trees, 'f'))
})

test('a URL of an archive imports the tree in it', async () => {
  const { upstream, mirror } = await mirrorInputs()
  const entries = Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }).map(([path, data]) => ({
    path,
    data,
  }))
  writeFileSync(join(upstream, 'x.bin'), tarOf(entries))
  expect((await mirror('/x.bin')).trees[0]).toMatchObject({
    id: 'fedora-40-server-x86_64',
    result: { outcome: 'published' },
  })
  await expect(mirror('/nothing')).rejects.toMatchObject({
    kind: 'not-found',
    message: expect.stringContaining('/nothing'),
  })
})

test('a partial file does not get the bytes of another, and a file that is too long is refused', async () => {
  const { base, upstream, server, fetching } = await mirrorInputs()
  const text = 'the new file, longer'
  writeFileSync(join(upstream, 'a'), text)
  const pool = new UpstreamPool([new HttpUpstream(server.url)], fetching)
  const part = join(base, 'part')
  writeFileSync(part, 'the old')
  // The validator that these bytes came with.
  writeFileSync(`${part}.from`, '"another etag"')
  expect(await fetchFile(pool, { path: 'a' }, part)).toBe(true)
  expect(readFileSync(part, 'utf8')).toBe(text)
  server.faultOf = () => ({ kind: 'longer' })
  const named = { path: 'a', size: text.length }
  await expect(fetchFile(pool, named, join(base, 'part2'))).rejects.toThrow(/\b20 bytes/)
  await pool.close()
})

test('a file that has changed on an FTP server is fetched from its first byte', async () => {
  const { base, upstream } = await mirrorInputs()
  writeFileSync(join(upstream, 'a'), 'the new file, longer')
  const url = await ftpServing(upstream)
  const pool = new UpstreamPool([new FtpUpstream(url)])
  const part = join(base, 'part')
  writeFileSync(part, 'the old')
  // The validator of these 7 bytes: size and time.
  writeFileSync(`${part}.from`, '7-1000')
  expect(await fetchFile(pool, { path: 'a' }, part)).toBe(true)
  expect(readFileSync(part, 'utf8')).toBe('the new file, longer')
  await pool.close()
})

test('only names directly below are read from an index page', () => {
  const page = `<a href="../">up</a><A HREF='a%20b'>x</A><a href="/pub/c/">c</a><a href="http://evil/x">e</a><a href="?C=S">s</a>
<a href="%2e%2e/x">up</a><a href="d/e">deep</a><a class="k" href="f&amp;g">f</a><a href="/pub">self</a><a href="a%2fb">slash</a>`
  expect(namesOnPage(page, new URL('http://host/pub/'))).toEqual(['a b', 'c/', 'f&g'])
})

// It takes two seconds and more: each run is a process of its own.
test.runIf(isSearch)(
  'a mirror that is killed ends with the same bytes, and half a tree is never visible',
  async () => {
    const { upstream, trees, server } = await mirrorInputs()
    makeTree(join(upstream, 'f'))
    makeRepository(join(upstream, 'f'), somePackages(60))
    // The packages, repomd.xml and primary.xml.gz, three images and the .treeinfo.
    const wholeTree = 60 + 2 + 3 + 1
    const published = join(trees, 'fedora')
    const script = builtFile('tests/support/mirror-child.ts')
    let half = 0
    const run = async (killAfterMs?: number) => {
      const child = fork(script, [trees, `${server.url}/f/`, 'fedora'], {
        execArgv: [],
        stdio: 'ignore',
      })
      const ready = once(child, 'message')
      const ended = once(child, 'exit')
      await Promise.race([ready, ended])
      const timer =
        killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      const watch = setInterval(() => {
        if (existsSync(published) && filesBelow(published).length !== wholeTree) half++
      }, 5)
      const [code] = await ended
      clearTimeout(timer)
      clearInterval(watch)
      return code as number | null
    }
    for (const killAfterMs of [20, 80, 140]) await run(killAfterMs)
    expect(await run()).toBe(0)
    expect(half).toBe(0)
    expectSame(published, join(upstream, 'f'))
    expect(readdirSync(join(trees, '.treeboot'))).toEqual(['versions'])
  },
  60_000,
)

import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Client, FTPError } from 'basic-ftp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { testApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { isSearch } from '../support/fuzz.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { type UdfFile, writeUdf } from '../support/iso/write-udf.ts'
import { NfsClient, NfsError } from '../support/nfs-client.ts'
import { TcpWire } from '../support/nfs-wire.ts'
import { fetchTftp, TftpRefusal } from '../support/tftp-client.ts'
import { imagesOfTree, keptFolder, makeTree, treeinfoText, writeBelow } from '../support/tree-folder.ts'

/** One namespace, four services: each of them sends the same bytes for the same path. */

/** Around the blocks of TFTP (512, and 1468 in one Ethernet frame) and the buffers of the services. */
const sizes = [512, 1468, 64 * 1024, 512 * 1024, ...(isSearch ? [1024 * 1024] : [])].flatMap((size) =>
  (isSearch ? [-3, -2, -1, 0, 1, 2, 3] : [-1, 0, 1]).map((more) => size + more),
)
const names = ['with two  spaces', 'Ünï €.rpm', '100%41.txt', 'a#b?c+d&e;f=g,h.txt', '-dash', `'q" [x] {y} ~`]

const config = `
server: { bind: 127.0.0.1 }
http: { port: 0 }
tftp: { port: 0 }
ftp: { port: 0 }
nfs: { port: 0 }
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40, template: web.ks, vars: { hostname: web01.example } }
  byftp: { tree: fedora-40, template: web.ks, source: ftp, vars: { hostname: byftp.example } }
  bynfs: { tree: fedora-41, template: web.ks, source: nfs, vars: { hostname: bynfs.example } }
  later: { mac: "52:54:00:aa:bb:02", tree: fedora-99, template: web.ks, vars: { hostname: later.example } }
`
const template = 'text\nnetwork --hostname={{ vars.hostname }}\n# {{ tree.id }} by {{ server.http }}, ä€\n'

const home = keptFolder()
/** The expected bytes of each path. Generated texts are added when they are known. */
const expected = new Map<string, Buffer>()
let app: App
let ports: Readonly<Record<string, number>>
let ftp: Client
let nfsWire: TcpWire
let nfs: NfsClient

beforeAll(async () => {
  const put = (path: string, bytes: Buffer): void => {
    writeBelow(home.path, path.startsWith('/trees/') ? path.slice(1) : `tftpboot${path}`, bytes)
    expected.set(path, bytes)
  }
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', template)
  for (const size of [0, 1, 2, 3, ...sizes]) put(`/trees/sizes/${size}`, randomBytes(size))
  for (const name of names) put(`/trees/names/${name}/${name}`, Buffer.from(name))
  put('/pxelinux.cfg/01-52-54-00-aa-bb-01', Buffer.from('# by hand, before the generated one\n'))
  const disc = {
    ...imagesOfTree({ version: '41' }),
    '.treeinfo': treeinfoText({ version: '41' }),
    'Packages/a name with spaces, Ünï.rpm': 'x',
    ...Object.fromEntries(
      [0, 1, 2047, 2048, 2049, ...sizes].map((size) => [`sizes/${size}`, randomBytes(size)]),
    ),
  }
  const image = writeIso({ files: disc, rockRidge: true }).bytes
  put('/trees/fedora-41.iso', image)
  for (const [path, bytes] of Object.entries(disc))
    expected.set(`/trees/fedora-41/${path}`, Buffer.from(bytes))
  put('/trees/fedora-41-udf.iso', inPieces(disc))
  for (const [path, bytes] of Object.entries(disc))
    expected.set(`/trees/fedora-41-udf/${path}`, Buffer.from(bytes))
  app = testApp(home.path)
  await app.start()
  ports = Object.fromEntries(app.serviceLines().map(({ name, port = 0 }) => [name, port]))
  ftp = new Client()
  await ftp.access({ host: '127.0.0.1', port: ports.ftp ?? 0 })
  nfsWire = await TcpWire.open(ports.nfs ?? 0)
  nfs = new NfsClient(nfsWire)
  const ready = () => app.snapshot().trees.all.filter((tree) => tree.state === 'ready').length
  // fedora-40, and the two images of fedora-41. The other folders in trees/ hold no tree.
  await eventually(() => expect(ready()).toBe(3), 15_000)
}, 20_000)

afterAll(async () => {
  ftp.close()
  nfsWire.close()
  await app.stop()
  home.remove()
})

/** A disc with UDF alone: large files in separate pieces, and small ones in their file entries. */
function inPieces(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const form = (bytes: string | Buffer): UdfFile =>
    bytes.length < 1000 ? { bytes, allocation: 'embedded' } : { bytes, pieceBlocks: 7, descriptorsEach: 20 }
  return writeUdf({
    files: Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, form(bytes)])),
  }).bytes
}

/** The path with every component percent-encoded, as by a client that got a name and not a URL. */
const urlOf = (path: string): string =>
  `http://127.0.0.1:${ports.http}${path.split('/').map(encodeURIComponent).join('/')}`

async function byHttp(path: string): Promise<Buffer> {
  const response = await fetch(urlOf(path))
  if (response.status !== 200) throw new Error(`status ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

async function byFtp(path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  await ftp.downloadTo(sink, path)
  return Buffer.concat(chunks)
}

/** Fetches as firmware does, in blocks of 512, and as loaders do. */
const byTftp = async (path: string): Promise<Buffer> =>
  (await fetchTftp(path, { port: ports.tftp ?? 0, retryMs: 2000 })).bytes
const byTftpWindows = async (path: string): Promise<Buffer> =>
  (
    await fetchTftp(path, {
      port: ports.tftp ?? 0,
      retryMs: 2000,
      options: { blksize: 1468, windowsize: 16, tsize: 0 },
    })
  ).bytes

const byNfs = async (path: string): Promise<Buffer> => nfs.readAll(await nfs.walk(path), 512 * 1024)
const byNfsPieces = async (path: string): Promise<Buffer> => nfs.readAll(await nfs.walk(path), 1468)

/** For slow ways, which fetch only what real clients fetch so: up to the sizes around 64 KiB. */
const largestForSlow = 70_000

/** Each way to fetch a file, with the largest size to fetch. */
const ways = [
  ['HTTP', byHttp, Number.POSITIVE_INFINITY],
  ['FTP', byFtp, Number.POSITIVE_INFINITY],
  ['TFTP', byTftp, largestForSlow],
  ['TFTP with options', byTftpWindows, Number.POSITIVE_INFINITY],
  ['NFS', byNfs, Number.POSITIVE_INFINITY],
  ['NFS in small reads', byNfsPieces, largestForSlow],
] as const

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const digest = (bytes: Uint8Array): string => `${bytes.length} ${sha256(bytes)}`

describe.each(ways)('%s', (_name, fetchBy, largest) => {
  const expectSame = async (folder: string): Promise<void> => {
    const paths = [...expected].filter(([path, { length }]) => path.startsWith(folder) && length <= largest)
    expect(paths.length).toBeGreaterThan(10)
    for (const [path, bytes] of paths) {
      const got = await fetchBy(path)
      if (!got.equals(bytes)) expect([path, digest(got)]).toEqual([path, digest(bytes)])
    }
  }

  test('sends files of every size around the buffer sizes, and empty ones', () => expectSame('/trees/sizes/'))

  test('sends the same files from inside an ISO image', () => expectSame('/trees/fedora-41/'))

  test('sends the same files from inside a UDF image, in pieces', () => expectSame('/trees/fedora-41-udf/'))

  test('sends files with spaces, signs and UTF-8 in their names', async () => {
    for (const name of names) expect((await fetchBy(`/trees/names/${name}/${name}`)).toString()).toBe(name)
  })

  test("sends the operator's file instead of the generated one, and other generated ones", async () => {
    const own = '/pxelinux.cfg/01-52-54-00-aa-bb-01'
    expect(await fetchBy(own)).toEqual(expected.get(own))
    expect((await fetchBy('/pxelinux.cfg/default')).toString()).toMatch(/^\s*label /im)
  })

  test('sends a text that was generated for the guest, unchanged', async () => {
    const text = `text\nnetwork --hostname=web01.example\n# fedora-40 by http://127.0.0.1:${ports.http}, ä€\n`
    expect((await fetchBy('/ks/web01')).toString()).toBe(text)
  })
})

test.each(ways.filter(([, , largest]) => largest === Number.POSITIVE_INFINITY))(
  '%s: an image is also sent as a file',
  async (_name, fetchBy) => {
    const path = '/trees/fedora-41.iso'
    expect(digest(await fetchBy(path))).toBe(digest(expected.get(path) ?? Buffer.alloc(0)))
  },
)

describe('a path that does not exist', () => {
  /** The error number of each protocol. */
  const refusals = async (path: string): Promise<Record<string, number>> => {
    const code = (asked: Promise<unknown>): Promise<number> =>
      asked.then(
        () => 0,
        (error: unknown) => {
          if (error instanceof FTPError || error instanceof TftpRefusal) return error.code
          if (error instanceof NfsError) return error.status
          throw error
        },
      )
    return {
      http: (await fetch(urlOf(path))).status,
      ftp: await code(byFtp(path)),
      tftp: await code(byTftp(path)),
      nfs: await code(byNfs(path)),
    }
  }

  test.each([
    ['a name', '/trees/sizes/none'],
    ['a folder on the way', '/trees/none/of/them'],
    ['a tree', '/trees/fedora-42/.treeinfo'],
    ['a file inside an image', '/trees/fedora-41/sizes/none'],
    ['a guest', '/ks/nobody'],
    ['anything at the top', '/none'],
    ['other case', '/trees/Fedora-40/.treeinfo'],
    ['uploads', '/incoming'],
    ['what treeboot keeps for itself', '/trees/.treeboot'],
  ])('%s: not found', async (_what, path) => {
    expect(await refusals(path)).toEqual({ http: 404, ftp: 550, tftp: 1, nfs: 2 })
  })

  test('below a file is not found, and NFS names the file as not a folder', async () => {
    expect(await refusals('/trees/sizes/1/2')).toEqual({ http: 404, ftp: 550, tftp: 1, nfs: 20 })
  })

  test('a file that is not available yet has the number for a later try', async () => {
    // NFS3ERR_JUKEBOX. TFTP has no such number: 0 leaves it to the message.
    expect(await refusals('/ks/later')).toEqual({ http: 503, ftp: 450, tftp: 0, nfs: 10008 })
  })
})

test('a guest that installs by FTP or NFS gets the true ports of these services', async () => {
  const told = async (guest: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${ports.http}/api/v1/lookup?guest=${guest}`)
    return ((await answer.json()) as { cmdline: string }).cmdline
  }
  const options = `nfsvers=3,proto=tcp,port=${ports.nfs},mountproto=tcp,mountport=${ports.nfs}`
  expect(await told('byftp')).toBe(
    `inst.repo=ftp://127.0.0.1:${ports.ftp}/trees/fedora-40 ip=dhcp inst.ks=ftp://127.0.0.1:${ports.ftp}/ks/byftp`,
  )
  expect(await told('bynfs')).toBe(
    `inst.repo=nfs:${options}:127.0.0.1:/trees/fedora-41 ip=dhcp inst.ks=nfs:${options}:127.0.0.1:/ks/bynfs`,
  )
})

test.each(['/ks', '/boot'])(
  'no service lists guests at %s, and a guest is there by its name',
  async (folder) => {
    expect((await ftp.list(folder)).map(({ name }) => name)).not.toContain('web01')
    const { entries } = await nfs.readdirplus(await nfs.walk(folder), 0n, 0n, {
      dirCount: 32_768,
      maxCount: 65_536,
    })
    expect(entries.map(({ name }) => name)).not.toContain('web01')
    expect((await fetch(urlOf(`${folder}/`))).status).toBe(200)
    expect(await (await fetch(urlOf(`${folder}/`))).text()).not.toContain('web01')
    await nfs.walk(`${folder}/web01`)
  },
)

test('FTP and NFS list a folder alike', async () => {
  for (const folder of [
    '/trees/sizes',
    '/trees/fedora-41',
    '/trees/fedora-41/sizes',
    '/trees/names',
    '/trees',
    '/pxelinux.cfg',
    '/',
  ]) {
    const listed = (await ftp.list(folder)).map(({ name, size, isDirectory }) => [
      name,
      isDirectory ? 0 : size,
    ])
    const handle = await nfs.walk(folder)
    // From the beginning: cookie and verifier are 0.
    const { entries, eof } = await nfs.readdirplus(handle, 0n, 0n, { dirCount: 32_768, maxCount: 65_536 })
    const nf3Dir = 2
    const seen = entries
      .filter(({ name }) => name !== '.' && name !== '..')
      .map(({ name, attributes }) => [name, attributes?.type === nf3Dir ? 0 : Number(attributes?.size)])
    expect(eof).toBe(true)
    expect(seen.sort()).toEqual(listed.sort())
    expect(seen.length).toBeGreaterThan(0)
  }
})

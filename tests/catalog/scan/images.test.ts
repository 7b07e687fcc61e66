import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LiveTrees } from '../../../server/catalog/scan/live-trees.ts'
import { VerifyCache } from '../../../server/verify/verify-cache.ts'
import { eventually } from '../../support/eventually.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'
import { stating } from '../../support/stating.ts'
import {
  imagesOfTree,
  makeTree,
  type TreeShape,
  temporaryFolder,
  treeinfoText,
} from '../../support/tree-folder.ts'

const deadlineMs = 8000

async function watching(base: string, { missingGraceMs = 400 } = {}) {
  const told: string[] = []
  const trees = new LiveTrees({
    folder: join(base, 'trees'),
    cache: new VerifyCache(join(base, 'data')),
    clock: Date.now,
    times: { quietMs: 150, missingGraceMs },
    rescanMs: 60_000,
    emit: (event) => event.type === 'tree' && told.push(`${event.id} ${event.state}`),
    onChange: () => undefined,
  })
  onTestFinished(() => trees.stop())
  await trees.start()
  const tree = (id: string) => trees.trees.find((each) => each.id === id)
  const becomes = (id: string, state: string | undefined) =>
    eventually(() => expect(tree(id)?.state, tree(id)?.reasons.join()).toBe(state), deadlineMs)
  return { trees, tree, becomes, told }
}

function home(): string {
  const base = temporaryFolder()
  mkdirSync(join(base, 'trees'))
  return base
}

function imageOf(shape: TreeShape = {}, more: Record<string, string> = {}): Buffer {
  return writeIso({ files: { '.treeinfo': treeinfoText(shape), ...imagesOfTree(shape), ...more } }).bytes
}

test('an ISO dropped into trees/ is a tree, verified to its digests', async () => {
  const base = home()
  const { becomes, tree, told } = await watching(base)
  const file = join(base, 'trees/Fedora-40.iso')
  writeFileSync(file, imageOf())
  await becomes('Fedora-40', 'ready')
  expect(tree('Fedora-40')).toMatchObject({
    family: 'Fedora',
    version: '40',
    origin: { kind: 'iso', path: file, name: 'Fedora-40.iso' },
    sizes: { 'images/pxeboot/vmlinuz': 'kernel of 40\n'.length },
  })
  expect(told).toContain('Fedora-40 verifying')
})

test('an image with UDF alone is a tree; one that is cut off is incoming until its end arrives', async () => {
  const base = home()
  const { becomes, tree } = await watching(base, { missingGraceMs: 60_000 })
  const file = join(base, 'trees/Fedora-40.img')
  const files = { '.treeinfo': treeinfoText(), ...imagesOfTree(), rest: 'x'.repeat(2_000_000) }
  const { bytes } = writeUdf({ files })
  writeFileSync(file, bytes.subarray(0, 1_000_000))
  await becomes('Fedora-40', 'incoming')
  writeFileSync(file, bytes)
  await becomes('Fedora-40', 'ready')
  expect(tree('Fedora-40')).toMatchObject({
    version: '40',
    origin: { kind: 'iso', path: file, name: 'Fedora-40.img' },
    sizes: { 'images/pxeboot/vmlinuz': 'kernel of 40\n'.length },
  })
})

test('one flipped byte inside is found and named; the right image in its place is ready', async () => {
  const base = home()
  const file = join(base, 'trees/sub/f40.ISO')
  const bytes = imageOf()
  bytes[bytes.indexOf('kernel of 40')] = 'K'.charCodeAt(0)
  mkdirSync(join(base, 'trees/sub'))
  writeFileSync(file, bytes)
  const { becomes, tree } = await watching(base)
  await becomes('sub/f40', 'broken')
  const found = createHash('sha256').update('Kernel of 40\n').digest('hex')
  expect(tree('sub/f40')?.reasons).toEqual([
    expect.stringMatching(new RegExp(`^images/pxeboot/vmlinuz is damaged: sha256 .* found ${found}$`)),
  ])
  writeFileSync(`${file}.part`, imageOf({ version: '41' }))
  renameSync(`${file}.part`, file)
  await becomes('sub/f40', 'ready')
  expect(tree('sub/f40')?.version).toBe('41')
  rmSync(file)
  await becomes('sub/f40', undefined)
})

test('an image is incoming while it is copied; cut short it is broken, and says by how much', async () => {
  const base = home()
  const file = join(base, 'trees/f40.iso')
  const bytes = imageOf({}, { 'Packages/big.rpm': 'x'.repeat(3_000_000) })
  const { becomes, tree } = await watching(base)
  writeFileSync(file, bytes.subarray(0, 100_000))
  await becomes('f40', 'incoming')
  // All but the last million bytes, or somewhat less.
  for (let at = 100_000; at < bytes.length - 1_000_000; at += 500_000) {
    appendFileSync(file, bytes.subarray(at, at + 500_000))
    await eventually(() => expect(tree('f40')?.reasons).not.toEqual([]), deadlineMs)
    expect(tree('f40')?.state).toBe('incoming')
  }
  await becomes('f40', 'broken')
  expect(tree('f40')?.reasons[0]).toMatch(/^f40\.iso lacks its last \d+ bytes: copy it again$/)
  // The copy goes on from its beginning, and now to the end.
  truncateSync(file, 100_000)
  appendFileSync(file, bytes.subarray(100_000))
  await becomes('f40', 'ready')
})

test('a folder of the same name comes first, at any time, and the image stays a file', async () => {
  const base = home()
  writeFileSync(join(base, 'trees/f40.iso'), imageOf({ version: '40' }))
  const { becomes, tree, trees } = await watching(base)
  await becomes('f40', 'ready')
  expect(tree('f40')?.version).toBe('40')
  makeTree(join(base, 'aside'), { version: '41' })
  renameSync(join(base, 'aside'), join(base, 'trees/f40'))
  await eventually(() => expect(tree('f40')?.origin.kind).toBe('folder'), deadlineMs)
  await trees.rescan()
  expect(trees.problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(stating('trees/f40.iso', 'trees/f40', 'f40')),
  ])
  rmSync(join(base, 'trees/f40'), { recursive: true })
  await eventually(() => expect(tree('f40')?.origin.kind).toBe('iso'), deadlineMs)
})

test('an image without a tree is noted and stays a file', async () => {
  const base = home()
  writeFileSync(join(base, 'trees/disk.img'), Buffer.alloc(100_000).fill('\x55\xaa'))
  writeFileSync(join(base, 'trees/initrd.img'), '')
  mkdirSync(join(base, 'trees/part/images'), { recursive: true })
  writeFileSync(join(base, 'trees/part/images/any.img'), '')
  writeFileSync(join(base, 'trees/drivers.iso'), writeIso({ files: { 'viostor.inf': 'x' } }).bytes)
  writeFileSync(join(base, 'trees/.hidden.iso'), imageOf())
  const { trees } = await watching(base)
  expect(trees.trees).toEqual([])
  expect(trees.problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(stating('trees/drivers', 'drivers.iso')),
  ])
  writeFileSync(join(base, 'trees/more.iso'), writeIso({ files: { x: 'y' } }).bytes)
  await eventually(() => expect(trees.problems.length).toBe(2), deadlineMs)
})

/** An image whose root folder, which its volume descriptor names, is filled with one byte. */
function withRootOf(byte: number): Buffer {
  const bytes = imageOf()
  const descriptor = 16 * 2048
  const at = bytes.readUInt32LE(descriptor + 156 + 2) * 2048
  bytes.fill(byte, at, at + bytes.readUInt32LE(descriptor + 156 + 10))
  return bytes
}

const noDisc = ['not a readable image of a disc', 'copy it again', 'byte 32769']
test.each<[string, Buffer, string[]]>([
  ['empty.iso', Buffer.alloc(0), ['empty.iso is empty: copy it again']],
  ['ones.iso', Buffer.alloc(100_000, 0xff), ['ones.iso', ...noDisc]],
  ['zeros.ISO', Buffer.alloc(100_000), ['zeros.ISO', ...noDisc]],
  ['page.iso', Buffer.from('<html>404 Not Found</html>'), ['page.iso', ...noDisc]],
  ['empty.img', Buffer.alloc(0), ['empty.img is empty: copy it again']],
  ['ones.img', Buffer.alloc(100_000, 0xff), ['ones.img', ...noDisc]],
  ['zeros.img', Buffer.alloc(100_000), ['zeros.img', ...noDisc]],
  ['hole.iso', withRootOf(0), ['hole.iso', 'copy it again', 'its root folder is empty']],
  ['torn.iso', withRootOf(0xff), ['torn.iso', 'not a readable image', 'copy it again', 'byte']],
])(
  '%s, from which nothing can be read, is broken, and its reason says what to do',
  async (name, bytes, facts) => {
    const base = home()
    const file = join(base, 'trees', name)
    const id = name.slice(0, -4)
    const { becomes, tree } = await watching(base)
    writeFileSync(file, bytes)
    await becomes(id, 'incoming')
    await becomes(id, 'broken')
    expect(tree(id)?.reasons).toEqual([expect.stringMatching(stating(...facts))])
    expect(tree(id)?.problems).toEqual([])
    writeFileSync(file, imageOf())
    await becomes(id, 'ready')
  },
)

test('a disc of which no kernel can be read, because a folder of it is damaged, is broken', async () => {
  const base = home()
  const kernel = { 'install.amd/vmlinuz': 'kernel', 'install.amd/initrd.gz': 'initrd' }
  const { bytes } = writeIso({
    files: { ...kernel, '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" amd64' },
  })
  const record = bytes.indexOf('vmlinuz')
  expect(record).toBeGreaterThan(0)
  const sector = record - (record % 2048)
  bytes.fill(0xff, sector, sector + 2048)
  writeFileSync(join(base, 'trees/deb.iso'), bytes)
  const { becomes, tree } = await watching(base)
  await becomes('deb', 'broken')
  expect(tree('deb')?.reasons).toEqual([expect.stringMatching(stating('deb.iso', 'copy it again', 'byte'))])
})

test('an image that can be read wins over a damaged one with the same id', async () => {
  const base = home()
  writeFileSync(join(base, 'trees/f40.ISO'), '')
  writeFileSync(join(base, 'trees/f40.iso'), imageOf())
  const { becomes, trees } = await watching(base)
  await becomes('f40', 'ready')
  await trees.rescan()
  expect(trees.problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(stating('trees/f40.ISO', 'f40.iso')),
  ])
})

test('a symlink to an image inside trees/ is a tree; one that leads out is not', async () => {
  const base = home()
  writeFileSync(join(base, 'outside.iso'), imageOf())
  writeFileSync(join(base, 'trees/f40.iso'), imageOf())
  symlinkSync('f40.iso', join(base, 'trees/latest.iso'))
  symlinkSync('../outside.iso', join(base, 'trees/out.iso'))
  const { trees, becomes, tree } = await watching(base)
  await becomes('latest', 'ready')
  expect(trees.trees.map(({ id }) => id)).toEqual(['f40', 'latest'])
  expect(tree('latest')?.origin).toMatchObject({
    kind: 'iso',
    path: join(base, 'trees/f40.iso'),
    name: 'latest.iso',
  })
})

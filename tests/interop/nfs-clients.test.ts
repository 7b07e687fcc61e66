import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startMachine } from '../../server/emulator/machine.ts'
import { UndoStack } from '../../server/emulator/undo.ts'
import type { Event } from '../../server/events/bus.ts'
import { diskSource } from '../../server/files/disk.ts'
import { isoSource } from '../../server/files/iso/source.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { NfsListener } from '../../server/protocols/nfs/server.ts'
import { findClient, requireClient } from '../support/clients.ts'
import { nfsGuest } from '../support/lab/nfs-guest.ts'

const run = promisify(execFile)
const undo = new UndoStack()
const events: Event[] = []
const files = new Map<string, Buffer>()
let folder = ''
let service: NfsListener

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const sizes = [0, 1, 3, 4095, 4096, 32_769, 524_287, 524_288, 524_289]

/** A tree with what trips readers up: sizes around every buffer, names longer than a handle, a large folder. */
function makeTree(): void {
  const put = (name: string, bytes: Buffer): void => {
    mkdirSync(join(folder, 'trees/f40', name, '..'), { recursive: true })
    writeFileSync(join(folder, 'trees/f40', name), bytes)
    files.set(name, bytes)
  }
  put('.treeinfo', Buffer.from('[general]\nfamily = Fedora\n'))
  put('images/pxeboot/vmlinuz', randomBytes(9_000_001))
  put('images/pxeboot/initrd.img', randomBytes(40_000_003))
  for (const size of sizes) put(`sizes/${size}`, randomBytes(size))
  for (let i = 0; i < 1500; i++)
    put(`Packages/k/kernel-modules-${'extra-'.repeat(i % 7)}${i}.fc40.x86_64.rpm`, randomBytes(200 + i))
  put('Ünïcode name/with  spaces', Buffer.from('x'))
  symlinkSync('pxeboot/vmlinuz', join(folder, 'trees/f40/images/kernel'))
  symlinkSync('.', join(folder, 'trees/f40/fedora'))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-interop-'))
  undo.push(folder, () => rmSync(folder, { recursive: true, force: true }))
  makeTree()
  const image = join(folder, 'f40.iso')
  const xorriso = findClient('xorriso')
  // Without it `beforeEach` skips every test.
  if (!xorriso) return
  await run(xorriso, ['-as', 'mkisofs', '-quiet', '-R', '-o', image, join(folder, 'trees/f40')])
  const source = mountTable([
    {
      at: cleanPath('/trees'),
      source: diskSource(join(folder, 'trees'), { showLinks: true }),
      why: 'a tree on disk',
    },
    { at: cleanPath('/image'), source: await isoSource(image), why: 'the same tree as it comes on a disc' },
    { at: cleanPath('/ks'), source: memorySource({ '/web01': 'text\nreboot\n' }), why: 'texts in memory' },
  ])
  service = new NfsListener({
    bind: '127.0.0.1',
    port: 0,
    portmap: 'off',
    source,
    events: (event) => events.push(event),
    dataFolder: join(folder, 'data'),
  })
  await service.start()
})

afterAll(async () => {
  await service.stop()
  undo.unwind()
})

describe('libnfs', () => {
  beforeEach(() => void requireClient('nfs-cat', 'nfs-ls', 'xorriso'))

  const url = (path: string, more = ''): string => {
    const port = service.address?.port
    return `nfs://127.0.0.1${path}?nfsport=${port}&mountport=${port}${more}`
  }
  const cat = async (path: string): Promise<Buffer> =>
    (await run('nfs-cat', [url(path)], { encoding: 'buffer', maxBuffer: 1e9 })).stdout

  test('nfs-ls shows a folder as it is', async () => {
    const { stdout } = await run('nfs-ls', [url('/trees/f40/sizes')])
    const lines = stdout.trim().split('\n')
    const shown = lines.map((line) => line.trim().split(/\s+/)).sort((a, b) => Number(a[4]) - Number(b[4]))
    expect(shown.map(([mode, , , , size, name]) => [mode, size, name])).toEqual(
      sizes.map((size) => ['-r--r--r--', `${size}`, `${size}`]),
    )
  })

  test('nfs-ls -R finds every file of a large tree', async () => {
    const { stdout } = await run('nfs-ls', ['-R', url('/trees/f40')], { maxBuffer: 1e8 })
    for (const name of files.keys()) expect(stdout).toContain(name.split('/').at(-1))
  })

  test('nfs-cat reads files of every size, from disk and from memory', async () => {
    for (const [name, bytes] of files)
      if (!name.startsWith('Packages/') && !name.includes(' '))
        expect([name, sha(await cat(`/trees/f40/${name}`))]).toEqual([name, sha(bytes)])
    expect(String(await cat('/ks/web01'))).toBe('text\nreboot\n')
    // libnfs mounts the folder of a file, which makes an event of its own.
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'served', path: '/ks', outcome: 'complete' }),
    )
  })

  test('nfs-cp copies a file out, and cannot copy one in', async () => {
    requireClient('nfs-cp')
    const copy = join(folder, 'copy')
    await run('nfs-cp', [url('/trees/f40/images/pxeboot/initrd.img'), copy])
    expect(sha(readFileSync(copy))).toBe(sha(files.get('images/pxeboot/initrd.img') ?? Buffer.alloc(0)))
    await expect(run('nfs-cp', [copy, url('/trees/f40/new')])).rejects.toThrow(/ROFS/)
  })

  test('a name that is not there is said to be so', async () => {
    await expect(cat('/trees/f40/none')).rejects.toThrow(/NOENT/)
  })
})

describe('a Linux kernel in QEMU', () => {
  test.each([
    ['from a folder', '/trees/f40'],
    ['from inside an ISO image', '/image'],
  ])('mounts the export by NFSv3, and reads the whole tree with the right checksums, %s', async (_, path) => {
    requireClient('qemu-system-x86_64')
    const guest = nfsGuest(requireClient('busybox'))
    const port = service.address?.port
    const cmdline = [
      'console=ttyS0',
      'nfs.address=10.0.2.15/24',
      'nfs.server=10.0.2.2',
      `nfs.path=${path}`,
      `nfs.options=port=${port},mountport=${port},mountproto=tcp`,
    ].join(' ')
    const machine = startMachine(undo, {
      firmware: 'bios',
      mac: '52:54:00:aa:bb:21',
      memory: 512,
      network: 'user',
      direct: { ...guest, cmdline },
    })
    const { output } = machine
    await output.waitFor(/guest: version 4 refused/, 90_000)
    const [, , mounted] = await output.waitFor(/guest: (mounted|cannot mount) (.*)\n/, 30_000)
    expect(mounted).toMatch(/nfs rw,.*vers=3,rsize=524288,.*proto=tcp/)
    await output.waitFor(/guest: done/, 120_000)
    expect(await machine.ended).toBe(0)
    const sums = [...files]
      .map(([name, bytes]) => ({ name: Buffer.from(`./${name}`), sum: sha(bytes) }))
      .sort((a, b) => Buffer.compare(a.name, b.name))
      .map(({ name, sum }) => `${sum}  ${name}\n`)
    // The folders: ., images, images/pxeboot, sizes, Packages, Packages/k and Ünïcode name.
    expect(output.text).toContain(`guest: files ${files.size} folders 7`)
    expect(output.text).toContain('guest: errors 0')
    expect(output.text).toContain(`guest: digest ${sha(Buffer.from(sums.join('')))}`)
    expect(output.text).toContain('guest: link ./fedora -> .')
    expect(output.text).toContain('guest: link ./images/kernel -> pxeboot/vmlinuz')
    const kernel = files.get('images/pxeboot/vmlinuz') ?? Buffer.alloc(0)
    expect(output.text).toContain(`guest: through ${sha(kernel)}  ./images/kernel`)
    expect(output.text).toMatch(/guest: changing it: .*(Read-only file system|Permission denied)/)
    expect(output.text).toContain('guest: unmounted')
    // The event of the mount.
    expect(events).toContainEqual(expect.objectContaining({ type: 'served', path, outcome: 'complete' }))
  })
})

/**
 * A file inside an ISO image beside the same file on disk, over HTTP: `npm run bench -- iso [rounds] [MiB]`.
 *
 * One service, both files through the same namespace code, fetched in turn by a client that throws the bytes away.
 * The image is made here, with its file in one piece behind a hand-made head, so nothing but Node is needed. Only
 * ratios of the same run mean anything; the aim is within 5 in 100.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskSource } from '../server/files/disk.ts'
import { isoSource } from '../server/files/iso/source.ts'
import { cleanPath } from '../server/files/path.ts'
import { mountTable } from '../server/namespace/mounts.ts'
import { HttpListener } from '../server/protocols/http/server.ts'
import { writeIso } from '../tests/support/iso/write-iso.ts'
import { numberArgument } from './support/arguments.ts'
import { median, range, ratios } from './support/numbers.ts'

const rounds = numberArgument(0, { full: 7, quick: 3 })
const size = numberArgument(1, { full: 1024, quick: 256 }) * 1024 * 1024
const sector = 2048

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  try {
    const image = join(folder, 'tree.iso')
    // An odd block: not at the start of a page of the system's cache, as in real images.
    const block = 1001
    const head = writeIso({ files: { 'images/big': { pieces: [{ block, length: size }] } } }).bytes
    const noHead = Buffer.alloc(0)
    await fill(join(folder, 'big'), 0, noHead)
    await fill(image, block * sector, head)
    const source = mountTable([
      { at: cleanPath('/disk'), source: diskSource(folder), why: 'the file as it is' },
      { at: cleanPath('/iso'), source: await isoSource(image), why: 'the same inside an image' },
    ])
    const service = new HttpListener({ bind: '127.0.0.1', port: 0, source, events: () => undefined })
    await service.start()
    const port = service.address?.port ?? 0
    const rates: Measure[][] = [[], []]
    for (let round = 0; round <= rounds; round++) {
      // Whoever comes second finds a warmer machine: each is second in every other round.
      const order = [() => measure(port, '/disk/big'), () => measure(port, '/iso/images/big')]
      const first = round % 2
      for (const at of [first, 1 - first]) {
        const measured = await order[at]?.()
        if (round > 0 && measured) rates[at]?.push(measured)
      }
    }
    await service.stop()
    const [disk = [], inside = []] = rates
    const rate = (measures: readonly Measure[]) =>
      `${median(measures.map(({ mbPerS }) => mbPerS))
        .toFixed(0)
        .padStart(6)} MB/s`
    const ratio = (of: (measure: Measure) => number) => {
      const shares = ratios(inside.map(of), disk.map(of))
      return `${median(shares).toFixed(3)} x (${range(shares)})`
    }
    console.log(`${size / 1024 / 1024} MiB over HTTP, ${rounds} rounds; medians, and ratios within a round`)
    console.log(`  from disk         ${rate(disk)}`)
    console.log(`  from inside an ISO${rate(inside)}  ${ratio(({ mbPerS }) => mbPerS)}, aim: 0.95`)
    console.log(`  processor time of both ends, ISO to disk: ${ratio(({ cpuMs }) => cpuMs)}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Writes a head, and `size` bytes from `offset` on. */
async function fill(file: string, offset: number, head: Buffer): Promise<void> {
  const handle = await open(file, 'w')
  const piece = randomBytes(1024 * 1024)
  await handle.write(head, 0, head.length, 0)
  for (let at = 0; at < size; at += piece.length) await handle.write(piece, 0, piece.length, offset + at)
  await handle.close()
}

interface Measure {
  readonly mbPerS: number
  /** Of server and client, which share a process: other work on the machine does not show in it. */
  readonly cpuMs: number
}

function measure(port: number, path: string): Promise<Measure> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const cpu = process.cpuUsage()
    let bytes = 0
    get({ port, path, host: '127.0.0.1' }, (response) => {
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('end', () => {
        if (bytes !== size) reject(new Error(`${path}: ${bytes} of ${size} bytes`))
        const { user, system } = process.cpuUsage(cpu)
        resolve({ mbPerS: bytes / 1000 / (performance.now() - started), cpuMs: (user + system) / 1000 })
      })
    }).on('error', reject)
  })
}

await main()

/**
 * `treeboot verify` beside `sha256sum` and `openssl dgst` on the same files:
 * `npm run bench -- verify [rounds] [MiB]`.
 *
 * A tree of large images and thousands of packages, named by `.treeinfo` and `primary.xml`, is read from the page
 * cache: what is measured is hashing and everything around it, not the disk. Rounds are interleaved; only ratios
 * of the same round mean anything. The aim is the speed of SHA-256 on the machine, which is that of the fastest
 * program.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Gather from '../server/catalog/scan/gather.ts'
import type * as Disk from '../server/files/disk.ts'
import { rootPath } from '../server/files/path.ts'
import type * as Verify from '../server/verify/verify-tree.ts'
import { namesBelow, treeinfoText, writeBelow } from '../tests/support/made-tree.ts'
import { makeRepository } from '../tests/support/rpm-repository.ts'
import { numberArgument, wordArgument } from './support/arguments.ts'
import { median, range, ratios } from './support/numbers.ts'

const rounds = numberArgument(0, { full: 5, quick: 2 })
const mebibytes = numberArgument(1, { full: 2048, quick: 512 })
const halfBytes = mebibytes * 2 ** 19
const packageBytes = 200 * 1024

/** Half of the bytes in four images, half in packages. */
function makeTree(folder: string): void {
  const random = (bytes: number) =>
    execFileSync('head', ['-c', String(bytes), '/dev/urandom'], { maxBuffer: 2 ** 31 - 1 })
  const packages = Math.floor(halfBytes / packageBytes)
  // `makeRepository` takes text and writes UTF-8, in which half of these characters take two bytes.
  const text = random(packageBytes / 1.5).toString('latin1')
  makeRepository(
    folder,
    Object.fromEntries(
      Array.from({ length: packages }, (_, n) => [
        `Packages/${'abcdefgh'[n % 8]}/package-${n}-1.noarch.rpm`,
        `${n} ${text}`,
      ]),
    ),
  )
  const digests = Array.from({ length: 4 }, (_, n) => {
    const bytes = random(Math.floor(halfBytes / 4))
    writeBelow(folder, `images/big${n}.img`, bytes)
    return `images/big${n}.img = sha256:${createHash('sha256').update(bytes).digest('hex')}\n`
  })
  for (const path of ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', 'images/install.img'])
    writeBelow(folder, path, path)
  writeFileSync(
    join(folder, '.treeinfo'),
    `${treeinfoText({ checksums: false })}\n[checksums]\n${digests.join('')}`,
  )
}

interface Measure {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** As it is built: threads that load TypeScript take their time to begin. */
const built = join(import.meta.dirname, '../dist/server')
const { verifyTree } = (await import(join(built, 'verify/verify-tree.js'))) as typeof Verify
const { gatherEvidence } = (await import(join(built, 'catalog/scan/gather.js'))) as typeof Gather
const { diskSource } = (await import(join(built, 'files/disk.js'))) as typeof Disk

async function ours(folder: string): Promise<Measure> {
  const started = performance.now()
  const before = process.cpuUsage()
  const source = diskSource(folder)
  const evidence = await gatherEvidence(source, rootPath, 'tree')
  const { findings, bytes } = await verifyTree({ source, at: rootPath, evidence }, { packages: true })
  // The images alone are half of the bytes.
  if (findings.length > 0 || bytes < halfBytes) throw new Error(JSON.stringify(findings[0] ?? bytes))
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 }
}

function program(list: string, args: readonly string[]): Measure {
  const started = performance.now()
  const { status } = spawnSync('xargs', ['-0', '-a', list, ...args], { stdio: 'ignore' })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`)
  return { seconds: (performance.now() - started) / 1000, cpuSeconds: Number.NaN }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-bench-'))
  try {
    // In a process of its own: what it needs is no part of the peak.
    execFileSync(process.execPath, [
      ...process.execArgv,
      import.meta.filename,
      String(rounds),
      String(mebibytes),
      folder,
    ])
    const files = namesBelow(folder)
    const list = join(folder, 'list')
    writeFileSync(list, files.map((path) => join(folder, path)).join('\0'))
    const bytes = files.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0)
    const ways: readonly (readonly [string, () => Measure | Promise<Measure>])[] = [
      ['treeboot', () => ours(folder)],
      ['sha256sum', () => program(list, ['sha256sum'])],
      ['openssl dgst -sha256', () => program(list, ['openssl', 'dgst', '-sha256'])],
    ]
    const measured = new Map<string, Measure[]>(ways.map(([name]) => [name, []]))
    for (let round = 0; round <= rounds; round++)
      for (const at of ways.keys()) {
        const [name, run] = ways[(round + at) % ways.length] ?? ways[0] ?? []
        const measure = await run?.()
        if (round > 0 && name !== undefined && measure) measured.get(name)?.push(measure)
      }
    console.log(
      `${files.length} files, ${(bytes / 2 ** 20).toFixed(0)} MiB, ${rounds} rounds; medians, and ratios within a round`,
    )
    const own = measured.get('treeboot') ?? []
    for (const [name, measures] of measured) {
      const rate = median(measures.map(({ seconds }) => bytes / 1e6 / seconds))
      const shares = ratios(
        measures.map(({ seconds }) => seconds),
        own.map(({ seconds }) => seconds),
      )
      console.log(
        `  ${name.padEnd(21)} ${rate.toFixed(0).padStart(6)} MB/s   treeboot has ${median(shares).toFixed(2)} times its speed (${range(shares)})`,
      )
    }
    console.log(
      `  treeboot: ${median(own.map(({ seconds, cpuSeconds }) => cpuSeconds / seconds)).toFixed(2)} cores; peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const folderToFill = wordArgument(2)
if (folderToFill === undefined) await main()
else makeTree(folderToFill)

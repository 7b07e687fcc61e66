/**
 * How long it takes to index a thousand trees, and how much memory: `npm run bench -- index-trees [trees]`.
 *
 * The trees are made of the real descriptors in tests/fixtures/treeinfo, with every image that each names and some
 * packages beside them, in a temporary folder. They are as new as can be, so every one of them is walked through.
 * Each measurement is a process of its own, after the page cache was dropped where we may. Limits: 3 s and 300 MB
 * for 1,000 trees on two cores.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Catalog } from '../server/catalog/catalog.ts'
import { loadSnapshot } from '../server/catalog/load-snapshot.ts'
import type { Snapshot } from '../server/catalog/snapshot.ts'
import { imagesOf, readDescriptors } from '../server/core/tree/conclude.ts'
import { isQuick, numberArgument, wordArgument } from './support/arguments.ts'

const packagesPerTree = 40
const rounds = isQuick ? 1 : 3

function write(file: string, data: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, data)
}

function makeTrees(base: string, count: number): void {
  const fixtures = join(import.meta.dirname, '../tests/fixtures/treeinfo/trees')
  const descriptors = readdirSync(fixtures).map((name) => readFileSync(join(fixtures, name)))
  for (let at = 0; at < count; at++) {
    const bytes = descriptors[at % descriptors.length]
    const description = bytes && readDescriptors(new Map([['.treeinfo', bytes]]))
    if (!bytes || !description) continue
    const folder = join(base, `trees/${description.family || 'none'}/${at}/os`.replaceAll(' ', '-'))
    write(join(folder, '.treeinfo'), bytes)
    for (const path of imagesOf(description))
      if (!path.includes('..')) write(join(folder, path), `image ${at}\n`)
    for (let number = 0; number < packagesPerTree; number++)
      write(join(folder, `Packages/${'abcd'[number % 4]}/package-${number}.rpm`), '')
  }
}

/** In a process of its own. `serve`: reads and watches as the server does; `once`: reads as a command does. */
async function measure(cwd: string, how: 'serve' | 'once'): Promise<void> {
  const idleMb = process.memoryUsage.rss() / 1e6
  const catalog = new Catalog({ cwd, events: { emit: () => undefined } })
  const started = performance.now()
  const cpuBefore = process.cpuUsage()
  let snapshot: Snapshot
  if (how === 'once') snapshot = await loadSnapshot({ cwd })
  else {
    await catalog.start()
    snapshot = catalog.snapshot
  }
  const ms = performance.now() - started
  const { user, system } = process.cpuUsage(cpuBefore)
  // Watches are put in place and digests begin to be read right after.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const beforeRescan = performance.now()
  if (how === 'serve') await catalog.rescan()
  const rescanMs = performance.now() - beforeRescan
  const peakMb = process.resourceUsage().maxRSS / 1e3
  const { all } = snapshot.trees
  const figures = [
    `${all.length} trees`,
    `${ms.toFixed(0)} ms (CPU ${((user + system) / 1000).toFixed(0)} ms)`,
    `peak ${peakMb.toFixed(0)} MB`,
  ]
  if (how === 'serve') figures.push(`rescan ${rescanMs.toFixed(0)} ms`)
  console.log(`${how.padEnd(6)}${figures.join(', ')} (of it ${idleMb.toFixed(0)} MB before)`)
  process.exit(0)
}

function dropCaches(): string {
  try {
    execFileSync('sync')
    writeFileSync('/proc/sys/vm/drop_caches', '3')
    return 'cold'
  } catch {
    return 'warm: the page cache may not be dropped here'
  }
}

// The process of one measurement is started with the folder of the trees and the way to read them.
const [folder, how] = [wordArgument(0), wordArgument(1)]
if (how === 'serve' || how === 'once') await measure(folder ?? '', how)
else {
  const base = mkdtempSync(join(tmpdir(), 'treeboot-bench-'))
  try {
    makeTrees(base, numberArgument(0, { full: 1000, quick: 300 }))
    for (let round = 0; round < rounds; round++)
      for (const way of ['serve', 'once']) {
        console.log(`round ${round + 1}, ${dropCaches()}`)
        const self = fileURLToPath(import.meta.url)
        spawnSync(process.execPath, [...process.execArgv, self, base, way], { stdio: 'inherit' })
      }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

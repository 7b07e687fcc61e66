import { realpath, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { loadConfigFile } from '../config/last-good.ts'
import { defined } from '../core/defined.ts'
import { withNetbootRemedies } from '../core/distro/cd-initrd.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { createTreeIndex } from '../core/select/select.ts'
import { type SettleTimes, settleTimes } from '../core/tree/settle.ts'
import type { Release, Tree } from '../core/tree/tree.ts'
import { BackgroundVerifier } from '../verify/background-verifier.ts'
import type { HasherOptions } from '../verify/digests/hasher.ts'
import { VerifyCache } from '../verify/verify-cache.ts'
import { assembleSnapshot } from './assemble.ts'
import { readEarlierTree } from './scan/earlier-trees.ts'
import { TreeScanner } from './scan/scanner.ts'
import { strayLinks } from './scan/stray-links.ts'
import type { Snapshot } from './snapshot.ts'
import { readTemplates } from './templates.ts'

export interface SnapshotOptions {
  readonly configFile?: string
  readonly cwd: string
  /** Default of each time: that of `settleTimes`. */
  readonly settle?: Partial<SettleTimes>
  /**
   * Computes the digests that no process has computed before, as a running server does, and keeps them in the
   * same cache. Without it such a tree is offered and has `unverified` files.
   */
  readonly verify?: { readonly onProgress?: HasherOptions['onProgress'] }
  /** A folder of this user alone, for digests that cannot be kept in `paths.data`. It may be missing. */
  readonly cacheFolder?: string
}

/**
 * Reads everything once, for commands. Unlike in a running server, a tree that lacks a boot file is broken at
 * once. When files of a tree may still be arriving, this waits one second and looks at the tree again.
 *
 * @throws ConfigError for a faulty configuration.
 */
export async function loadSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { configFile, cwd, cacheFolder } = options
  const loaded = await loadConfigFile(defined({ file: configFile, cwd }))
  const { paths } = loaded.config
  const cache = new VerifyCache(paths.data)
  // What is wrong with it is no problem of this server; the data folder's digests win.
  if (cacheFolder !== undefined) await cache.load(cacheFolder)
  const [trouble, templates, found, stray] = await Promise.all([
    cache.load(),
    readTemplates(paths.templates),
    readTreesOnce(paths.trees, cache, options),
    strayLinks(paths),
  ])
  if (options.verify) await keepDigests(cache, paths.data, cacheFolder)
  const problems: SnapshotProblem[] = [...stray, ...templates.problems, ...found.problems]
  if (trouble !== undefined) problems.push({ severity: 'warning', where: paths.data, message: trouble })
  return assembleSnapshot({
    generation: 1,
    loaded,
    trees: found.trees,
    templates: templates.texts,
    problems,
  })
}

/**
 * Saves new digests for the next command: in the data folder, or else in a folder of the user. A command makes no data
 * folder: one of another user's, such as root's, could not be written by the server. Where both fail, the next command
 * computes the digests again.
 */
async function keepDigests(
  cache: VerifyCache,
  dataFolder: string,
  cacheFolder: string | undefined,
): Promise<void> {
  const folders = (await stat(dataFolder).catch(() => undefined)) ? [dataFolder] : []
  if (cacheFolder !== undefined) folders.push(cacheFolder)
  for (const folder of folders) {
    const isKept = await cache.save(folder).then(
      () => true,
      () => false,
    )
    if (isKept) return
  }
}

async function readTreesOnce(
  treesFolder: string,
  cache: VerifyCache,
  { settle = {}, verify }: Pick<SnapshotOptions, 'settle' | 'verify'>,
): Promise<{ trees: readonly Tree[]; problems: SnapshotProblem[] }> {
  const warn = (message: string): SnapshotProblem => ({ severity: 'warning', where: treesFolder, message })
  const folder = await realpath(treesFolder).catch(() => undefined)
  if (folder === undefined)
    return {
      trees: [],
      problems: [
        {
          ...warn('the folder is missing, so there are no trees'),
          severity: 'error',
          remedy: 'make it, or set paths.trees',
        },
      ],
    }
  const digested = new Set<string>()
  const verifier = new BackgroundVerifier(cache, (file) => digested.add(file), verify?.onProgress)
  const times = { ...settleTimes, missingGraceMs: 0, ...settle }
  const scanner = new TreeScanner({
    folder,
    clock: Date.now,
    times,
    verifier,
    verify: verify !== undefined,
  })
  await scanner.scan()
  if (scanner.hasUnsettled) {
    await pause(times.quietMs)
    await scanner.lookAtUnsettled()
  }
  verifier.start()
  await verifier.untilIdle()
  await scanner.takeDigests(digested)
  const { trees, notes } = scanner
  await Promise.all([scanner.close(), verifier.stop()])
  return { trees, problems: notes.map(warn) }
}

/**
 * Adds earlier versions of trees to a snapshot, as far as they are still on the disk. `release` is the
 * version: what it was published as, and its number.
 */
export async function withEarlier(
  snapshot: Snapshot,
  wanted: readonly { readonly tree: string; readonly release: Pick<Release, 'id' | 'version'> }[],
): Promise<Snapshot> {
  const { trees, config } = snapshot
  const missing = wanted.filter(({ tree, release }) => trees.byId(tree) && !trees.inVersion(tree, release))
  if (missing.length === 0) return snapshot
  const folder = await realpath(config.paths.trees)
  const earlier: Tree[] = []
  for (const { tree, release } of missing) {
    const current = trees.byId(tree)
    const found = current && (await readEarlierTree(folder, current, release))
    if (found) earlier.push(found)
  }
  const added = withNetbootRemedies(earlier, { archives: config.import.archives, trees: trees.all })
  return { ...snapshot, trees: createTreeIndex(trees.all, [...trees.earlier, ...added]) }
}

import type { LoadedConfig } from '../config/load.ts'
import { defined } from '../core/defined.ts'
import { cdInitrd, withNetbootRemedies } from '../core/distro/cd-initrd.ts'
import { type Guest, lineIn, type Profile, type TreeSelector } from '../core/guest/guest.ts'
import { createGuestIndex } from '../core/guest/match.ts'
import type { Selector } from '../core/guest/selectors.ts'
import { networkMeant, virtNetworkOf } from '../core/guest/virt-network.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { nearestName } from '../core/select/nearest.ts'
import { createTreeIndex, type TreeIndex } from '../core/select/select.ts'
import { bootablePlatforms } from '../core/tree/boot-files.ts'
import { treeIdTrouble } from '../core/tree/names.ts'
import type { Tree } from '../core/tree/tree.ts'
import { affectedGuests } from './affected-guests.ts'
import { equalTreesProblems } from './equal-trees.ts'
import type { Snapshot } from './snapshot.ts'
import { unknownArchProblems } from './unknown-arch.ts'

/** Everything that a snapshot is made from. */
export interface SnapshotParts {
  readonly generation: number
  readonly loaded: LoadedConfig
  readonly trees: readonly Tree[]
  /** Trees in versions that were replaced and are still on the disk. */
  readonly earlier?: readonly Tree[]
  readonly templates: ReadonlyMap<string, string>
  /** Problems found while reading: folders that cannot be read, templates that are not text. */
  readonly problems: readonly SnapshotProblem[]
}

export function assembleSnapshot(parts: SnapshotParts): Snapshot {
  const { generation, loaded, templates } = parts
  const sources = { archives: loaded.config.import.archives, trees: parts.trees }
  const current = withNetbootRemedies(parts.trees, sources)
  const trees = createTreeIndex(current, parts.earlier && withNetbootRemedies(parts.earlier, sources))
  return Object.freeze({
    generation,
    config: loaded.config,
    trees,
    guests: createGuestIndex(loaded.guests),
    profiles: loaded.profiles,
    selectors: selectorsOf(loaded.profiles),
    templates,
    problems: Object.freeze([
      ...loaded.problems,
      ...parts.problems,
      ...current.flatMap(treeProblems),
      ...packagesOnly(parts.trees),
      ...unknownArchProblems(trees, loaded.guests),
      ...equalTreesProblems(trees, loaded.guests),
      ...guestProblems(loaded.guests, trees, templates),
      ...guestsWithoutTree(loaded.guests),
    ]),
  })
}

function selectorsOf(profiles: ReadonlyMap<string, Profile>): readonly Selector[] {
  return [...profiles.values()].flatMap(({ name, selector, definedAt }) =>
    selector ? [{ ...selector, profile: name, definedAt }] : [],
  )
}

function treeProblems(tree: Tree): SnapshotProblem[] {
  const where = `trees/${tree.id}`
  const problems: SnapshotProblem[] = []
  const trouble = treeIdTrouble(tree.id)
  if (trouble !== undefined)
    problems.push({
      severity: 'warning',
      where,
      message: trouble,
      remedy: 'rename the folder to letters, digits, "-", "_" and "."',
    })
  if (tree.state === 'broken')
    for (const reason of tree.reasons)
      problems.push({ severity: 'error', where, message: reason, ...defined({ remedy: tree.remedy }) })
  if (tree.unverified)
    problems.push({
      severity: 'warning',
      where,
      message: `not verified: nobody has checked the digest of ${tree.unverified.join(', ')}`,
      remedy: 'run the command without --no-verify',
    })
  if (tree.state === 'ready' && tree.stage2 !== undefined && tree.sizes[tree.stage2] === undefined)
    problems.push({
      severity: 'warning',
      where,
      message: `its second stage ${tree.stage2} is missing: kernel and initrd boot, and then the installer stops`,
      remedy: 'copy that file, too, or give guests inst.stage2= with another server',
    })
  const disc = tree.state === 'ready' ? cdInitrd(tree) : undefined
  if (disc)
    problems.push({
      severity: 'warning',
      where,
      message: disc.message,
      remedy: tree.netbootRemedy ?? disc.remedy,
    })
  return problems
}

/**
 * Ready trees without a kernel and an initrd, such as a second disc. A repository that was published together with
 * a tree that boots is meant to be one, and is no problem.
 */
function packagesOnly(trees: readonly Tree[]): SnapshotProblem[] {
  const isPackagesOnly = (tree: Tree) => bootablePlatforms(tree).length === 0
  const booting = new Set(trees.filter((tree) => !isPackagesOnly(tree)).map(({ release }) => release?.id))
  return trees
    .filter((tree) => tree.state === 'ready' && isPackagesOnly(tree))
    .filter(({ release }) => release === undefined || !booting.has(release.id))
    .map(({ id, distro }) => ({
      severity: 'warning',
      where: `trees/${id}`,
      ...(distro === 'xenserver'
        ? {
            message: 'its installer runs on Xen, which treeboot does not start: no machine boots from it',
            remedy: 'boot its disc, or start boot/xen.gz by a boot configuration of your own in tftpboot/',
          }
        : {
            message: 'packages only: it has no kernel and initrd, so no machine boots from it',
            remedy: 'guests can use it as a repository; to install from it, add the disc or tree that boots',
          }),
    }))
}

/**
 * The problems in guests' settings: one for each line of the configuration that names something missing,
 * however many guests inherit it.
 */
function guestProblems(
  guests: readonly Guest[],
  trees: TreeIndex,
  templates: ReadonlyMap<string, string>,
): SnapshotProblem[] {
  const faults = new Map<string, GuestFault>()
  const judged = new Map<string, SettingFault | undefined>()
  const check = (guest: Guest, from: string, setting: string, judge: () => SettingFault | undefined) => {
    if (!judged.has(setting)) judged.set(setting, judge())
    const fault = judged.get(setting)
    if (!fault) return
    const key = `${from}\n${setting}`
    const same = faults.get(key)
    if (same) same.guests.push(guest.name)
    else faults.set(key, { from, ...fault, guests: [guest.name] })
  }
  for (const guest of guests) {
    const { tree, template } = guest.settings
    if (tree)
      check(guest, tree.from, `tree ${JSON.stringify(tree.value)}`, () => judgeSelector(tree.value, trees))
    const { network } = guest.settings.virt
    check(guest, network.from, `virt.network ${network.value}`, () => judgeNetwork(network.value))
    if (template)
      check(guest, template.from, `template ${template.value}`, () =>
        judgeTemplate(template.value, templates),
      )
  }
  return [...faults.values()].map(({ from, message, remedy, guests: names }) => ({
    severity: 'error' as const,
    where: lineIn(from),
    message: `${from}: ${message}${affectedGuests(names)}`,
    ...(remedy !== undefined && { remedy }),
  }))
}

/** How many guests the message names. */
const mostNamed = 5

/** One warning for all guests without a tree, at the place of the first. */
function guestsWithoutTree(guests: readonly Guest[]): SnapshotProblem[] {
  const [first, ...others] = guests.filter(
    ({ settings, refused }) => settings.tree === undefined && refused === undefined,
  )
  if (!first) return []
  const names = [first, ...others].slice(0, mostNamed).map(({ name }) => name)
  const more = 1 + others.length - names.length
  const who = `guest${others.length === 0 ? '' : 's'} ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return [
    {
      severity: 'warning',
      where: first.definedAt,
      message: `${who} ${others.length === 0 ? 'has' : 'have'} no tree: network boot installs nothing there`,
      remedy: 'give each, or a profile of it, a "tree:"',
    },
  ]
}

/** Why a setting cannot be used. */
interface SettingFault {
  readonly message: string
  readonly remedy?: string
}

/** A faulty setting, the place where it is written, and the guests that inherit it. */
interface GuestFault extends SettingFault {
  readonly from: string
  readonly guests: string[]
}

function judgeSelector(selector: TreeSelector, trees: TreeIndex): SettingFault | undefined {
  const selection = trees.select(selector)
  if (selection.found) return undefined
  const nearest = selection.nearest.map(({ id }) => id)
  return {
    message: selection.why,
    ...(nearest.length > 0 && { remedy: `ready trees nearest to it: ${nearest.join(', ')}` }),
  }
}

function judgeTemplate(name: string, templates: ReadonlyMap<string, string>): SettingFault | undefined {
  if (templates.has(name)) return undefined
  const nearest = nearestName(name, [...templates.keys()])
  return {
    message: `template ${name} is missing`,
    ...(nearest !== undefined && { remedy: `did you mean '${nearest}'?` }),
  }
}

/** By `virt.network` of a machine that is no virtual one nothing is made; so this stops no start. */
function judgeNetwork(written: string): SettingFault | undefined {
  if (virtNetworkOf(written)) return undefined
  return {
    message: `virt.network ${JSON.stringify(written)} is not a network`,
    remedy: networkMeant(written),
  }
}

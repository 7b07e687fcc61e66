import { link, lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { createAtomically, makeFolder, syncFolder, type WriteOptions } from '../host/atomic-write.ts'
import { type KnownTexts, removeIfSame, replaceIfSame, settleLeftovers } from '../host/guarded-write.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import { digestOf } from './present.ts'

/**
 * Changes of several files that belong together, such as the file of a profile and all that name it. What is new is made
 * first, then what names it, and what goes last. So at each moment every name that is written somewhere leads to a
 * definition.
 */

/** One file of a set. Without `before` it is made, without `after` it is removed. */
export interface FileStep {
  /** Absolute. */
  readonly path: string
  /** For people: `guests.d/web02.yaml`. */
  readonly where: string
  /** SHA-256 of the bytes that are expected, in hexadecimal; null: no such file. */
  readonly before: string | null
  /** What the file is to be; null: it is removed. */
  readonly after: string | null
  /** The file that a new one gets its owner and permissions from. */
  readonly like?: string
  /** Where the bytes of a new one are on the disk already, in the same file system. */
  readonly staged?: string
}

/** A set that could not be made, and of which nothing is left. */
export class NothingMade extends Failure {}

/** Why a set was not made to its end. */
export interface StoppedSet {
  /** The file that somebody else changed, for people. */
  readonly where: string
  /** Whether all is as it was before: what had been made was taken back. */
  readonly undone: boolean
}

export interface MakeOptions {
  /** Whether an earlier process may have made a part of it. */
  readonly again?: boolean
}

/** How many files of a set are written at once: their syncs share the commits of the file system's journal. */
const atOnce = 32

/**
 * Makes the changes. A step that is made already counts. Stops at a file that is neither what is expected nor what it is
 * to be: it is left as somebody else has made it, and what goes last stays. When nothing that was there before has changed
 * yet, the new files are taken back; but a set of new files alone that was cut off is made around it.
 *
 * @throws NothingMade when a new file cannot be written and all were taken back.
 * @throws Failure when a file cannot be written; some of the others were made.
 */
export async function makeSet(
  steps: readonly FileStep[],
  { again = false }: MakeOptions = {},
): Promise<StoppedSet | undefined> {
  if (again) await settleLeftovers(new Map(steps.map((step) => [step.path, knownTexts(step)])))
  const made = steps.filter(({ before }) => before === null)
  const changed = steps.filter(({ before, after }) => before !== null && after !== null)
  const removed = steps.filter(({ after }) => after === null)
  const around = again && made.length === steps.length
  for (const [part, later] of [
    [made, [...changed, ...removed]],
    [changed, removed],
    [removed, []],
  ] satisfies [FileStep[], FileStep[]][]) {
    const other = await makeAll(part, around).catch(async (error: unknown) => {
      if (again || part !== made || !(await takeBack(made, changed).catch(() => false))) throw error
      throw new NothingMade(failureKind(error), failureMessage(error), { cause: error })
    })
    if (!other) continue
    if (around) return { where: other.where, undone: false }
    // What differs before something that is made was edited since: the parts are made one after the other.
    if (again && (await isOneMade(later))) continue
    return { where: other.where, undone: await takeBack(made, changed) }
  }
  return undefined
}

function knownTexts(step: FileStep): KnownTexts {
  return { isBefore: (bytes) => isBefore(step, bytes), isAfter: (bytes) => isAfter(step, bytes) }
}

/**
 * Returns a step whose file is another one than expected. All are looked at before the first is made. What was made is
 * durable before the next part begins.
 *
 * @param around Makes the others, too, when a file is another one.
 */
async function makeAll(steps: readonly FileStep[], around: boolean): Promise<FileStep | undefined> {
  let other: FileStep | undefined
  const found = new Map<FileStep, Uint8Array | undefined>()
  await forEachAtOnce(steps, atOnce, async (step) => {
    const present = await contentOf(step.path)
    if (present !== 'other' && (isBefore(step, present) || isAfter(step, present))) found.set(step, present)
    else other ??= step
  })
  if (other && !around) return other
  try {
    await forEachAtOnce(found, atOnce, async ([step, present]) => {
      if ((!other || around) && !(await make(step, present))) other ??= step
    })
  } finally {
    for (const folder of new Set(steps.map(({ path }) => dirname(path)))) await syncFolder(folder)
  }
  return other
}

/** False when the file is another one than expected. */
async function make(step: FileStep, present: Uint8Array | undefined): Promise<boolean> {
  if (isAfter(step, present)) return true
  const { path, after } = step
  try {
    if (!present) return await create(step, after ?? '')
    if (after === null) return await removeIfSame(path, present, { namesLater: true })
    return await replaceIfSame(path, present, after, { like: await stat(path), namesLater: true })
  } catch (error) {
    if (error instanceof Failure) throw error
    const message = `${step.where} cannot be written: ${failureMessage(error)}`
    throw new Failure(failureKind(error), message, { cause: error })
  }
}

async function create({ path, like, staged }: FileStep, text: string): Promise<boolean> {
  const named = staged === undefined ? undefined : await nameStaged(staged, path)
  if (named !== undefined) return named
  await makeFolder(dirname(path))
  const model = like === undefined ? undefined : await stat(like).catch(() => undefined)
  const options: WriteOptions = { namesLater: true, ...(model && { like: model }) }
  return createAtomically(path, text, options)
}

/** False when the name is taken: `link` replaces nothing. Undefined when nothing is staged there any more. */
async function nameStaged(staged: string, path: string): Promise<boolean | undefined> {
  try {
    await link(staged, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code === 'ENOENT') return undefined
    throw error
  }
}

/** Undefined when there is no such file; `other` for what no definition is, such as a folder or a very large file. */
async function contentOf(path: string): Promise<Uint8Array | 'other' | undefined> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (!stats?.isFile()) return stats && 'other'
  return (await readFileAtMost(path, configurationLimits.definitionFile.bytes)) ?? 'other'
}

function isBefore({ before }: FileStep, present: Uint8Array | undefined): boolean {
  return present ? digestOf(present) === before : before === null
}

function isAfter({ after }: FileStep, present: Uint8Array | 'other' | undefined): boolean {
  if (present === 'other') return false
  return present ? after !== null && Buffer.from(after).equals(present) : after === null
}

async function isOneMade(steps: readonly FileStep[]): Promise<boolean> {
  for (const step of steps) if (isAfter(step, await contentOf(step.path))) return true
  return false
}

/** Removes new files again, unless something that was there before has changed. Returns whether all is as it was. */
async function takeBack(made: readonly FileStep[], changed: readonly FileStep[]): Promise<boolean> {
  if (await isOneMade(changed)) return false
  await forEachAtOnce(made, atOnce, ({ path, after }) =>
    removeIfSame(path, Buffer.from(after ?? ''), { namesLater: true }),
  )
  for (const folder of new Set(made.map(({ path }) => dirname(path)))) await syncFolder(folder)
  return true
}

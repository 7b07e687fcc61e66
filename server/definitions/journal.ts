import { readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { defined } from '../core/defined.ts'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { syncFolder, writeAtomically } from '../host/atomic-write.ts'
import { type FileStep, makeSet, NothingMade, type StoppedSet } from './file-set.ts'

/**
 * A set of changes is written to a journal in the data folder before the first file changes, with what each file is to
 * be. A process that is killed in between leaves the journal, and the next one that has the lock of definitions makes the
 * rest: a command that changes a definition, or the start of a server.
 */

const journalName = 'definitions-journal.json'
const stoppedName = 'definitions-stopped.json'

const journalSchema = z.object({
  version: z.literal(1),
  /** Absolute path of config.yaml. */
  config: z.string(),
  /** For people: `profile lab gets the name web`. */
  what: z.string(),
  /** What a person does when it could not be made to its end. */
  remedy: z.string(),
  steps: z.array(
    z.object({
      path: z.string(),
      where: z.string(),
      before: z.string().nullable(),
      after: z.string().nullable(),
      like: z.string().optional(),
      staged: z.string().optional(),
    }),
  ),
})

const look = 'look at the files that it names, and remove it'

/** Changes that belong together. */
export interface ChangeSet {
  /** Absolute path of the config.yaml beside which the files are. */
  readonly config: string
  /** For people: `profile lab gets the name web`. */
  readonly what: string
  /** What a person does when it could not be made to its end. */
  readonly remedy: string
  readonly steps: readonly FileStep[]
}

/** A set that was cut off and that nobody has to finish any more. */
export interface FinishedSet {
  /** For people: what became of it. */
  readonly text: string
  /** False when somebody else changed one of its files meanwhile. */
  readonly isWhole: boolean
}

/**
 * Makes a set of changes. The caller holds the lock of definitions.
 *
 * @throws Failure `conflict` when somebody else changed one of the files meanwhile. The message says whether anything
 *   was changed. What was not, stays as it is.
 * @throws NothingMade when a new file cannot be written, before another one changed.
 */
export async function makeWithJournal(dataFolder: string, set: ChangeSet): Promise<void> {
  const journal = join(dataFolder, journalName)
  // One file is changed or it is not. The texts may hold hashes of passwords.
  if (set.steps.length > 1)
    await writeAtomically(journal, `${JSON.stringify({ version: 1, ...set }, undefined, 1)}\n`, {
      mode: 0o600,
    })
  const stopped = await makeSet(set.steps).catch(async (error: unknown) => {
    if (set.steps.length === 1) throw error
    if (error instanceof NothingMade) {
      await removeJournal(dataFolder)
      throw error
    }
    const message = `${failureMessage(error)}; the next change, or the start of the server, makes what is left`
    throw new Failure(failureKind(error), message, { cause: error })
  })
  await end(dataFolder, set, stopped)
  if (stopped) throw new Failure('conflict', stoppedText(set, stopped))
}

/**
 * Makes the rest of a set that was cut off. The caller holds the lock of definitions.
 *
 * @returns What was done; undefined when nothing was cut off.
 * @throws Failure when the journal cannot be read, or the rest cannot be made; the journal stays.
 */
export async function finishJournal(dataFolder: string, config: string): Promise<FinishedSet | undefined> {
  const journal = join(dataFolder, journalName)
  const set = await readSet(journal)
  if (!set) return undefined
  if (set.config !== config)
    throw new Failure(
      'conflict',
      `${journal} is about files beside ${set.config}, and not beside ${config}; ${look}`,
    )
  const stopped = await makeSet(set.steps, { again: true })
  await end(dataFolder, set, stopped)
  const stages = new Set(set.steps.flatMap(({ staged }) => (staged === undefined ? [] : [dirname(staged)])))
  for (const stage of stages) await rm(stage, { recursive: true, force: true })
  const text = `${set.what}: that was cut off, and ${stopped ? stoppedText(set, stopped) : 'is finished now'}`
  return { text, isWhole: stopped === undefined }
}

/** Whether a set was cut off. */
export async function hasJournal(dataFolder: string): Promise<boolean> {
  return (await stat(join(dataFolder, journalName)).catch(() => undefined)) !== undefined
}

/** What a set left that stopped: a problem as long as something stands that it was to remove. */
export async function stoppedProblem(dataFolder: string): Promise<SnapshotProblem | undefined> {
  const file = join(dataFolder, stoppedName)
  try {
    const set = await readSet(file)
    if (!set) return undefined
    const removed = set.steps.filter(({ after }) => after === null)
    const left = await Promise.all(removed.map(({ path }) => stat(path).catch(() => undefined)))
    if (left.every((each) => each === undefined)) return undefined
    const where = removed[0]?.where ?? file
    const message = `${set.what}: somebody else changed a file meanwhile, so that this is made in part`
    return { severity: 'warning', where, message, remedy: set.remedy }
  } catch (error) {
    return { severity: 'warning', where: file, message: failureMessage(error), remedy: 'remove this file' }
  }
}

async function end(dataFolder: string, set: ChangeSet, stopped: StoppedSet | undefined): Promise<void> {
  const note = join(dataFolder, stoppedName)
  if (stopped && !stopped.undone) {
    // Only what `stoppedProblem` needs: no text stands in a second place.
    const steps = set.steps.filter(({ after }) => after === null)
    if (steps.length > 0)
      await writeAtomically(note, `${JSON.stringify({ version: 1, ...set, steps }, undefined, 1)}\n`, {
        mode: 0o600,
      })
  }
  await removeJournal(dataFolder)
}

async function removeJournal(dataFolder: string): Promise<void> {
  await rm(join(dataFolder, journalName), { force: true })
  await syncFolder(dataFolder)
}

function stoppedText({ remedy }: ChangeSet, { where, undone }: StoppedSet): string {
  return undone
    ? `${where} was changed by somebody else meanwhile, so nothing was changed; read it again`
    : `${where} was changed by somebody else meanwhile, and stays so: this is made in part; ${remedy}`
}

async function readSet(file: string): Promise<ChangeSet | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    const { config, what, remedy, steps } = journalSchema.parse(JSON.parse(text))
    return {
      config,
      what,
      remedy,
      steps: steps.map(({ like, staged, ...step }) => ({ ...step, ...defined({ like, staged }) })),
    }
  } catch (cause) {
    throw new Failure('invalid-data', `${file} is damaged; ${look}`, { cause })
  }
}

import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { dataFolderOf } from '../config/last-good.ts'
import { type ConfigPlace, defaultFileName } from '../config/texts.ts'
import { Failure } from '../core/failure.ts'
import { isLocked, takeLock } from '../host/lock.ts'
import { type FinishedSet, finishJournal, hasJournal } from './journal.ts'

/** How long a change waits for another one that is being made. */
const lockTries = 100
const lockRetryMs = 100

/** Told what became of a change that an earlier process had to leave. */
export type Note = (finished: FinishedSet) => void

/**
 * One change at a time, also of several processes. What an earlier one has not brought to its end is finished first.
 *
 * @param change Gets the data folder.
 */
export async function withDefinitionsLock<T>(
  place: ConfigPlace,
  note: Note,
  change: (dataFolder: string) => Promise<T>,
): Promise<T> {
  const data = await dataFolderOf(place)
  return locked(data, async () => {
    await finish(place, data, note)
    return change(data)
  })
}

/**
 * Finishes a set of changes whose process was killed. For the start of a server, before it reads the configuration, which
 * may have errors.
 *
 * @throws Failure when that cannot be done.
 */
export async function finishDefinitions(place: ConfigPlace, note: Note): Promise<void> {
  const data = await dataFolderOf(place)
  if (await hasJournal(data)) await locked(data, () => finish(place, data, note))
}

/**
 * Whether another process is making a set of changes now. What a killed one has left is finished first: a server reads it as
 * a whole.
 */
export async function isChangingSet(
  place: ConfigPlace,
  note: Note,
  onTrouble: (error: unknown) => void,
): Promise<boolean> {
  try {
    await finishDefinitions(place, note)
    return false
  } catch (error) {
    if (await isLocked(lockOf(await dataFolderOf(place)))) return true
    onTrouble(error)
    return false
  }
}

async function finish({ cwd, file = defaultFileName }: ConfigPlace, data: string, note: Note): Promise<void> {
  const done = await finishJournal(data, resolve(cwd, file))
  if (done !== undefined) note(done)
}

async function locked<T>(dataFolder: string, change: () => Promise<T>): Promise<T> {
  const lock = lockOf(dataFolder)
  for (let left = lockTries; ; left--) {
    const release = await takeLock(lock, { holderIs: 'is changing a definition' }).catch((error: unknown) => {
      if (left > 1 && error instanceof Failure && error.kind === 'conflict') return undefined
      throw error
    })
    if (!release) {
      await pause(lockRetryMs)
      continue
    }
    try {
      return await change()
    } finally {
      await release()
    }
  }
}

function lockOf(dataFolder: string): string {
  return join(dataFolder, 'definitions.lock')
}

import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, failureMessage } from '../../server/core/failure.ts'
import { FolderDefinitions } from '../../server/definitions/folder-definitions.ts'
import type { FinishedSet } from '../../server/definitions/journal.ts'
import { namesBelow, temporaryFolder, writeBelow } from './tree-folder.ts'

/** The entity tag of a definition file. */
export const tag = (content: string): string => `"${createHash('sha256').update(content).digest('hex')}"`

/** A folder with a configuration, and what its definitions tell of sets that were finished. */
export function definitionsFolder(files: Record<string, string>) {
  const cwd = temporaryFolder()
  for (const [name, content] of Object.entries(files)) writeBelow(cwd, name, content)
  const notes: FinishedSet[] = []
  const definitions = new FolderDefinitions({ cwd }, (note) => notes.push(note))
  return { cwd, definitions, notes, path: (name: string) => join(cwd, name) }
}

/** All files but those of the data folder. */
export function filesIn(cwd: string): Record<string, string> {
  const names = namesBelow(cwd).filter(
    (name) => !name.startsWith('data') && statSync(join(cwd, name)).isFile(),
  )
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(cwd, name), 'utf8')]))
}

/** What a change was refused with: `conflict: ...`; `made` when it was not. */
export async function refusal(change: Promise<unknown>): Promise<string> {
  return change.then(
    () => 'made',
    (error: unknown) => `${error instanceof Failure ? error.kind : 'ERROR'}: ${failureMessage(error)}`,
  )
}

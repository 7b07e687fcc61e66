import { createHash } from 'node:crypto'

const form = /^import-[0-9a-f]{12}$/

/**
 * The folder of the upload area that a command puts a file into which a job will import.
 *
 * @param facts Tell the file from all others: a second run finds what the first one has sent.
 */
export function importFolderName(facts: string): string {
  return `import-${createHash('sha256').update(facts).digest('hex').slice(0, 12)}`
}

/** Whether a job imports what is in it: under this name it shall never be published. */
export function isImportFolder(name: string): boolean {
  return form.test(name)
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../core/failure.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import { digestOf } from './present.ts'

/**
 * Why templates were saved in spite of problems. It stands in a file of the data folder, because it is about bytes of
 * another file: when these are others, by an editor, too, the reason means nothing any more.
 */

const fileName = 'template-reasons.json'
const mostCharacters = 1000

const reasonSchema = z.object({
  name: z.string(),
  /** SHA-256 of the text that was saved, in hexadecimal. */
  sha256: z.string(),
  reason: z.string(),
  /** RFC 3339. */
  saved: z.string(),
})
const fileSchema = z.object({ version: z.literal(1), reasons: z.array(reasonSchema) })
export type TemplateReason = z.infer<typeof reasonSchema>

/** @throws Failure `bad-request` for a text that tells nobody anything. */
export function requireReason(reason: string): string {
  const text = reason.trim()
  if (text.length > 0 && text.length <= mostCharacters && !/[\r\n]/.test(text)) return text
  const expected = `one line of 1 to ${mostCharacters} characters`
  throw new Failure('bad-request', `the reason: expected ${expected}`, {
    details: [{ field: 'reason', expected }],
  })
}

/**
 * The reasons that still are about what is there.
 *
 * @param readTexts Reads the templates as they are, by name; called when there are reasons.
 */
export async function reasonsFor(
  dataFolder: string,
  readTexts: () => Promise<ReadonlyMap<string, string>>,
): Promise<readonly TemplateReason[]> {
  const all = await readReasons(dataFolder)
  if (all.length === 0) return []
  const texts = await readTexts()
  return all.filter(({ name, sha256 }) => {
    const text = texts.get(name)
    return text !== undefined && digestOf(text) === sha256
  })
}

/**
 * Keeps the reasons that are about what is there, or about to be. Called before the templates change: until then the new
 * ones are about nothing.
 */
export async function keepReasons(dataFolder: string, reasons: readonly TemplateReason[]): Promise<void> {
  if (reasons.length === 0 && (await readReasons(dataFolder)).length === 0) return
  const text = `${JSON.stringify({ version: 1, reasons }, undefined, 1)}\n`
  await writeAtomically(join(dataFolder, fileName), text)
}

async function readReasons(dataFolder: string): Promise<readonly TemplateReason[]> {
  const file = join(dataFolder, fileName)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return []
  try {
    return fileSchema.parse(JSON.parse(text)).reasons
  } catch (cause) {
    throw new Failure('invalid-data', `${file} is damaged; remove it, and save the templates again`, {
      cause,
    })
  }
}

import { Failure } from '../../core/failure.ts'

/** Lists of the API that a command lists, too. */
const listPath = /\/api\/v1\/(trees|guests|profiles|mirrors|templates|boots|jobs)(?= lists them)/g

/** What the API says of its lists, in the words of the command line. */
export function commandWords(text: string): string {
  return text.replaceAll(listPath, 'treeboot $1')
}

/** The same of a failure. */
export function inCommandWords(error: unknown): unknown {
  if (!(error instanceof Failure)) return error
  const words = commandWords(error.message)
  if (words === error.message) return error
  const { kind, details, forClient } = error
  return new Failure(kind, words, { cause: error, details, forClient })
}

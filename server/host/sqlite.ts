import type BetterSqlite from 'better-sqlite3'
import { Failure, failureMessage } from '../core/failure.ts'

/**
 * Loads the database module. Imported here and not above: a command that needs no database loads no database
 * module.
 *
 * @throws Failure with a remedy when its native part is missing.
 */
export async function loadSqlite(): Promise<typeof BetterSqlite> {
  try {
    return (await import('better-sqlite3')).default
  } catch (error) {
    throw noModule(error)
  }
}

/** The native part of the database module is missing, or was built for another version of Node. */
export function noModule(error: unknown): Failure {
  const [reason] = failureMessage(error).split('\n')
  return new Failure(
    'unavailable',
    `the database module better-sqlite3 does not load on Node ${process.versions.node} (${reason}); run ` +
      '"npm rebuild better-sqlite3" where treeboot is installed: it needs python3, make and a C++ compiler',
    { cause: error },
  )
}

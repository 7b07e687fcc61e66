import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure, failureMessage } from '../core/failure.ts'
import { createAtomically, makeFolder } from '../host/atomic-write.ts'

/**
 * The secret of the administrator. Clients send it as bearer token, or as the password of the user `admin`.
 */
export interface AdminToken {
  readonly file: string
  /** Whether this start of the server made the token. Then the operator must be told where the file is. */
  readonly isNew: boolean
  isValid(candidate: string): boolean
}

/**
 * We make tokens of 256 bits. A token of fewer than `leastLength` characters could be guessed, and is
 * refused.
 */
const tokenBytes = 32
const leastLength = 20

/**
 * Reads `admin-token` in the data folder, or makes it at the first start. The file has mode 0600 from its
 * first moment. An operator may write another token into the file, or delete the file to get a new one.
 *
 * @throws Failure `invalid-data` when the file has no proper token.
 */
export async function loadAdminToken(dataFolder: string): Promise<AdminToken> {
  const file = join(dataFolder, 'admin-token')
  await makeFolder(dataFolder)
  const isNew = (await readToken(file)) === undefined && (await makeToken(file))
  const token = await readToken(file)
  if (token === undefined || token.length < leastLength)
    throw new Failure(
      'invalid-data',
      `${file} must have a token of at least ${leastLength} characters, found ${token?.length ?? 0}; delete the file, and the next start makes a new one`,
    )
  // The file may have been restored with wider permissions. Then every user of this machine could publish
  // trees.
  if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, 0o600)
  const expected = digest(token)
  return { file, isNew, isValid: (candidate) => timingSafeEqual(digest(candidate), expected) }
}

async function readToken(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Failure('forbidden', `${file} cannot be read: ${failureMessage(error)}`, { cause: error })
  }
}

/** Makes the file. When two processes start at once, one of them makes it and both read the same token. */
function makeToken(file: string): Promise<boolean> {
  return createAtomically(file, `${randomBytes(tokenBytes).toString('base64url')}\n`, { mode: 0o600 })
}

/**
 * Gives `timingSafeEqual` texts of equal length, so that the comparison does not reveal the length of the
 * token.
 */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

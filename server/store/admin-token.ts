import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure, failureMessage } from '../core/failure.ts'
import { createAtomically } from '../host/atomic-write.ts'

/** What lets an administrator in: as a bearer token and as the password of `admin`. */
export interface AdminToken {
  readonly file: string
  /** Whether it was made just now, so that the first start can say where it is. */
  readonly isNew: boolean
  isValid(candidate: string): boolean
}

/** 256 bits; what is shorter was not made by us and could be guessed. */
const tokenBytes = 32
const leastLength = 20

/**
 * Reads `admin-token` in the data folder, or makes it at the first start, with mode 0600 from its first moment. An
 * operator may write a token of their own into the file; delete it to get a new one.
 *
 * @throws Failure `invalid-data` when the file holds no token.
 */
export async function loadAdminToken(dataFolder: string): Promise<AdminToken> {
  const file = join(dataFolder, 'admin-token')
  await mkdir(dataFolder, { recursive: true })
  const isNew = (await readToken(file)) === undefined && (await makeToken(file))
  const token = await readToken(file)
  if (token === undefined || token.length < leastLength)
    throw new Failure(
      'invalid-data',
      `${file} holds no token of at least ${leastLength} characters; delete it, and the next start makes a new one`,
    )
  // Copied or restored with wider permissions: anyone on this machine could publish trees.
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

/** Of two processes that start at once, one makes the token and both read the same. */
function makeToken(file: string): Promise<boolean> {
  return createAtomically(file, `${randomBytes(tokenBytes).toString('base64url')}\n`, { mode: 0o600 })
}

/** Equal lengths for `timingSafeEqual`, and nothing of the token's own length shows. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

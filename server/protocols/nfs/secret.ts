import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { writeAtomically } from '../../host/atomic-write.ts'

const secretBytes = 32

/**
 * The key that file handles are made with, kept in the data folder, readable by us alone. Made at the first start;
 * without it all handles that clients hold are stale.
 *
 * @throws Failure `invalid-data` for a file that is no key: made anew, it would silently cut off every client.
 */
export async function loadSecret(dataFolder: string): Promise<Buffer> {
  const file = join(dataFolder, 'nfs-key')
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(file, error)
    return makeSecret(file)
  }
  if (bytes.length !== secretBytes)
    throw new Failure(
      'invalid-data',
      `${file}: found ${bytes.length} bytes, expected ${secretBytes}. Restore it from a backup, or delete it: clients that have mounted will then have to mount again`,
    )
  return bytes
}

async function makeSecret(file: string): Promise<Buffer> {
  const secret = randomBytes(secretBytes)
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, secret, { mode: 0o600 })
    return secret
  } catch (error) {
    throw unusable(file, error)
  }
}

function unusable(file: string, cause: unknown): Failure {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Failure(
    'unavailable',
    `NFS keeps the key of its file handles in ${file}: ${reason}. Make the folder writable for treeboot, or set paths.data in config.yaml`,
    { cause },
  )
}

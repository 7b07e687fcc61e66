import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure, failureMessage } from '../../core/failure.ts'
import { createAtomically, makeFolder } from '../../host/atomic-write.ts'

const secretBytes = 32

/**
 * The key of the file handles, kept in the data folder and readable by us alone. The first start makes
 * the key. With another key all handles that clients hold are stale.
 *
 * @throws Failure `invalid-data` for a file that is not a key: a new key would silently cut off every client.
 */
export async function loadSecret(dataFolder: string): Promise<Buffer> {
  const file = join(dataFolder, 'nfs-key')
  const bytes = (await readIfThere(file)) ?? (await makeSecret(file))
  if (bytes.length !== secretBytes)
    throw new Failure(
      'invalid-data',
      `${file}: found ${bytes.length} bytes, expected ${secretBytes}. Restore it from a backup, or delete it: clients that have mounted will then have to mount again`,
    )
  return bytes
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unusable(file, error)
  }
}

/** Makes the key, unless another process has just made it. */
async function makeSecret(file: string): Promise<Buffer> {
  const secret = randomBytes(secretBytes)
  try {
    await makeFolder(dirname(file))
    return (await createAtomically(file, secret, { mode: 0o600 })) ? secret : await readFile(file)
  } catch (error) {
    throw unusable(file, error)
  }
}

function unusable(file: string, cause: unknown): Failure {
  return new Failure(
    'unavailable',
    `NFS cannot read or write the key of its file handles, ${file}: ${failureMessage(cause)}. Make the folder writable for treeboot, or set paths.data in config.yaml`,
    { cause },
  )
}

import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { StoreMark, WitnessSays } from '../../core/guest/doubt.ts'
import { loadSqlite, noModule } from '../../host/sqlite.ts'
import { Ballast, inSpiteOfFullDisk } from '../ballast.ts'
import type { Store } from '../store.ts'
import { readWitnesses, writeWitness } from '../witness.ts'

export interface OpenOptions {
  /** `paths.data` of the configuration. */
  readonly data: string
  /** The files outside of the data folder that remember how much the store knew; see witness.ts. */
  readonly witness?: readonly string[]
  /** Told of a witness that cannot be written. The store goes on without it. */
  readonly onTrouble?: (error: unknown) => void
}

export interface OpenedStore extends Store {
  /** Whether the file did not exist before. */
  readonly isNew: boolean
  readonly witnesses: readonly WitnessSays[]
}

export function storeFile(data: string): string {
  return join(data, 'treeboot.db')
}

/**
 * Opens `treeboot.db` in the data folder, creates it if necessary, and migrates its tables to the newest
 * form. Only its owner may read it: it has the secret that proves the reports of guests.
 *
 * @throws Failure with a remedy: the database module or access is missing, or the file is damaged or of a
 *   newer version.
 */
export async function openStore(options: OpenOptions): Promise<OpenedStore> {
  const { data, witness: files = [], onTrouble = () => undefined } = options
  const file = storeFile(data)
  // Before the store: a commit comes before its witness, so a good store is never behind.
  const witnesses = await readWitnesses(files)
  const isNew = !(await exists(file))
  return inSpiteOfFullDisk(data, async () => {
    await makeFile(data, file)
    const witness = (mark: StoreMark): Promise<boolean> => writeWitness(files, mark, onTrouble)
    return Object.assign(await openFile(data, file, witness), { isNew, witnesses })
  })
}

/**
 * Makes the file with its mode before SQLite does, so that no other user can read it even for a moment. SQLite gives -wal
 * and -shm the same mode.
 */
async function makeFile(data: string, file: string): Promise<void> {
  try {
    await mkdir(data, { recursive: true })
    await (await open(file, 'a', 0o600)).close()
  } catch (error) {
    throw new Failure('forbidden', `${file} cannot be written: ${failureMessage(error)}; ${folderRemedy}`)
  }
}

async function openFile(
  data: string,
  file: string,
  witness: (mark: StoreMark) => Promise<boolean>,
): Promise<Store> {
  // Imported here and not above: a command that opens no store loads no database module.
  const [raw, { SqliteStore }] = await Promise.all([openDatabase(file), import('./store.ts')])
  try {
    raw.pragma('journal_mode = WAL')
    // A commit does not sync the file: `SqliteStore` does it.
    raw.pragma('synchronous = NORMAL')
    const store = new SqliteStore(raw, { giveSpace: () => new Ballast(data).release(), witness })
    await store.migrate()
    return store
  } catch (error) {
    raw.close()
    throw unusable(file, error)
  }
}

/** Opens the store for a command that needs no new one. Undefined when it does not exist. */
export async function openExistingStore(options: OpenOptions): Promise<OpenedStore | undefined> {
  return (await exists(storeFile(options.data))) ? openStore(options) : undefined
}

const folderRemedy = 'set paths.data to a folder that this user may write'

async function openDatabase(file: string): Promise<Database> {
  const Database = await loadSqlite()
  try {
    const { busyTimeoutMs } = await import('./write-queue.ts')
    return new Database(file, { timeout: busyTimeoutMs })
  } catch (error) {
    if ((error as { code?: unknown }).code?.toString().startsWith('SQLITE_')) throw unusable(file, error)
    throw noModule(error)
  }
}

/** The failure of a file that is damaged, of a newer version, or cannot be used for another reason. */
function unusable(file: string, error: unknown): Failure {
  if (error instanceof Failure) return new Failure(error.kind, `${file}: ${error.message}`, { cause: error })
  const code = String((error as { code?: unknown }).code ?? '')
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT'))
    return new Failure(
      'invalid-data',
      `${file} is not a database or is damaged (${failureMessage(error)}); restore a copy of it with its -wal file. ` +
        'Without this file every guest is held on its own disk until you say which ones to install',
      { cause: error },
    )
  return new Failure('internal', `${file} cannot be used: ${failureMessage(error)}`, { cause: error })
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

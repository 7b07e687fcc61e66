import { type BigIntStats, closeSync, openSync, statSync, unlinkSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { writeAtomically } from './atomic-write.ts'
import { networkFileSystem } from './network-folder.ts'
import { loadSqlite } from './sqlite.ts'

/**
 * Locks that the kernel drops when their process ends, however it ends. A lock is an exclusive transaction of
 * SQLite on an empty file: SQLite locks the bytes of the file with fcntl(2). No process id decides anything, so
 * neither a reused id nor another container holds a lock by mistake. Within one process SQLite itself excludes
 * the second taker.
 *
 * POSIX drops all fcntl locks of a process on a file when the process closes any descriptor of that file. So
 * nothing but SQLite may open a lock file. What the holder says of itself is in a second file beside it.
 */
export interface LockOptions {
  /** What the holder does, for the message: `is importing disc.iso already`. */
  readonly holderIs: string
  /** What else the message tells of the holder: `with /etc/treeboot/config.yaml`. */
  readonly about?: string
}

/** What the holder of a lock wrote beside it. It is for people only. */
interface Holder {
  readonly pid: number
  readonly host: string
  readonly sinceMs: number
  readonly about?: string
}

/** Locks that this process holds. A connection that nothing refers to would be closed, and its lock dropped. */
const held = new Set<Database>()

/** A question by `isLocked` takes a shared lock for a moment; then the lock is only tried again. */
const tries = 5
const retryMs = 20

/**
 * Takes a lock, and makes its file and the folder above it if necessary.
 *
 * @returns What releases the lock and removes its files.
 * @throws Failure `conflict` while another process, or another caller in this one, holds it.
 */
export async function takeLock(file: string, { holderIs, about }: LockOptions): Promise<() => Promise<void>> {
  const Sqlite = await loadSqlite()
  for (let left = tries; left > 0; left--) {
    if (left < tries) await sleep(retryMs)
    const identity = makeFile(file)
    if (!identity) {
      await mkdir(dirname(file), { recursive: true })
      continue
    }
    const lock = lockFile(Sqlite, file)
    if (!lock) continue
    // An earlier holder may have removed the file after we opened it. Then the name leads to another file, or
    // to none, and this lock is worth nothing.
    if (!isSameFile(identity, identityOf(file))) {
      lock.close()
      continue
    }
    held.add(lock)
    const holder: Holder = { pid: process.pid, host: hostname(), sinceMs: Date.now(), ...defined({ about }) }
    // On a full disk the lock holds without it.
    await writeAtomically(holderFile(file), `${JSON.stringify(holder)}\n`).catch(() => undefined)
    return () => release(file, identity, lock)
  }
  throw await refusal(file, holderIs)
}

/** Whether a process holds a lock now. */
export async function isLocked(file: string): Promise<boolean> {
  if (!identityOf(file)) return false
  const Sqlite = await loadSqlite()
  let question: Database | undefined
  try {
    question = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 0 })
    question.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    return isBusy(error)
  } finally {
    question?.close()
  }
}

async function release(file: string, identity: BigIntStats, lock: Database): Promise<void> {
  if (!held.delete(lock)) return
  // While we hold the lock, nobody else removes the file of that name. Another file of that name is not ours.
  if (isSameFile(identity, identityOf(file))) {
    await rm(holderFile(file), { force: true }).catch(() => undefined)
    if (isSameFile(identity, identityOf(file))) unlinkSync(file)
  }
  lock.close()
}

/**
 * Makes the empty file of a lock, and returns its identity. Undefined when the folder is not there. The calls
 * are synchronous: no other taker in this process may lock the file before we have closed it.
 */
function makeFile(file: string): BigIntStats | undefined {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      throw new Failure('forbidden', `the lock ${file} cannot be made: ${failureMessage(error)}`)
    if (code !== 'EEXIST') throw error
  }
  return identityOf(file)
}

/** Undefined while somebody else holds the lock. */
function lockFile(Sqlite: Awaited<ReturnType<typeof loadSqlite>>, file: string): Database | undefined {
  let lock: Database | undefined
  try {
    lock = new Sqlite(file, { timeout: 0 })
    // Nothing is ever written: no journal is made, and nothing is left after a crash.
    lock.pragma('journal_mode = MEMORY')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    if (isBusy(error)) return undefined
    throw unusable(file, error)
  }
}

function unusable(file: string, error: unknown): Failure {
  const code = String((error as { code?: unknown }).code ?? '')
  if (code.startsWith('SQLITE_IOERR'))
    return new Failure(
      'unsupported',
      `the lock ${file} cannot be taken (${code}): the file system of ${dirname(file)} has no working locks; ` +
        'use a folder on a local disk, or mount the network folder with locks',
    )
  if (code === 'SQLITE_NOTADB')
    return new Failure('invalid-data', `the lock ${file} is not an empty file; remove it`)
  return new Failure('forbidden', `the lock ${file} cannot be taken: ${failureMessage(error)}`)
}

async function refusal(file: string, holderIs: string): Promise<Failure> {
  const holder = await readHolder(file)
  // SQLite says "busy" also when the server of a network file system has no locks at all (ENOLCK).
  const fileSystem = await networkFileSystem(dirname(file))
  const network = fileSystem
    ? `; ${dirname(file)} is on ${fileSystem}: if no other process runs, its locks do not work; use a local disk`
    : ''
  if (!holder) return new Failure('conflict', `another process ${holderIs}${network}`)
  const { pid, host, sinceMs, about } = holder
  const more = [`on ${host}`, `since ${new Date(sinceMs).toISOString()}`, about].filter(Boolean).join(', ')
  return new Failure('conflict', `process ${pid} (${more}) ${holderIs}${network}`)
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(holderFile(file), 'utf8')) as Holder
  } catch {
    return undefined
  }
}

function holderFile(file: string): string {
  return `${file}.holder`
}

function isBusy(error: unknown): boolean {
  return (error as { code?: unknown }).code?.toString().startsWith('SQLITE_BUSY') ?? false
}

function identityOf(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })
}

/** The time of birth tells a file from a later one that got the same inode. */
function isSameFile(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return a.dev === b?.dev && a.ino === b.ino && a.birthtimeNs === b.birthtimeNs
}

import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { Accounts } from '../accounts/accounts.ts'
import type { Config } from '../config/schema.ts'
import type { Actor } from '../core/access/audit.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { readAtMost } from '../host/read-at-most.ts'
import { memoryStore } from '../store/memory/store.ts'
import { openExistingStore, openStore } from '../store/sqlite/open.ts'
import type { Store } from '../store/store.ts'
import type { CommonOptions } from './options.ts'
import type { CliIo } from './output/io.ts'
import { configOf } from './run-import.ts'

/** The accounts, for one command on the host: whoever may write the files of the store may do everything. */
export interface AccessHere {
  readonly accounts: Accounts
  readonly config: Config
  /** Who types the command, for the audit. */
  readonly by: Actor
}

type Work<T> = (here: AccessHere) => Promise<T>

/** Opens the store, which a running server may be using, does the work and closes it. */
export async function withAccounts<T>(options: CommonOptions, io: CliIo, work: Work<T>): Promise<T> {
  const config = await configOf(options, io)
  const store = await openStore({ data: config.paths.data })
  if (store.isNew) warnOfRoot(config.paths.data, io)
  return withStore(store, { config, io }, work)
}

/** The same for work that only reads: where there is no store, none is made. */
export async function readAccounts<T>(options: CommonOptions, io: CliIo, work: Work<T>): Promise<T> {
  const config = await configOf(options, io)
  const store = (await openExistingStore({ data: config.paths.data })) ?? memoryStore()
  return withStore(store, { config, io }, work)
}

async function withStore<T>(
  store: Store,
  { config, io }: { readonly config: Config; readonly io: CliIo },
  work: Work<T>,
): Promise<T> {
  const accounts = new Accounts({
    session: () => config.access.session,
    onTrouble: (error) => io.err(`warning: ${failureMessage(error)}\n`),
  })
  try {
    await accounts.open({ store: store.accounts, dataFolder: config.paths.data })
    return await work({ accounts, config, by: personHere() })
  } finally {
    await accounts.close()
    await store.close()
  }
}

/** A store that root made can be written by no other user: the server would not start. */
function warnOfRoot(data: string, io: CliIo): void {
  if (process.getuid?.() !== 0) return
  io.err(`warning: root made ${data}; a server that runs as another user needs: chown -R USER ${data}\n`)
}

/** With blanks in it, it is no account's name. */
function personHere(): Actor {
  return { account: `${userName()} on this host`, from: 'command line' }
}

function userName(): string {
  const { SUDO_USER } = process.env
  if (SUDO_USER) return SUDO_USER
  try {
    return userInfo().username
  } catch {
    // A user without a line in passwd, as in containers.
    return `user ${process.getuid?.() ?? ''}`
  }
}

/** The longest file that can have a password; accounts say what a password may be. */
const mostOfPasswordFile = 8192

/**
 * The password that a command is to set: the content of a file without the line break at its end, or what the person at
 * the terminal types twice.
 */
export async function passwordFor(
  name: string,
  { passwordFile }: { readonly passwordFile?: string },
  io: CliIo,
): Promise<string> {
  if (passwordFile !== undefined) return passwordIn(passwordFile, io)
  const typed = await io.askSecret?.(`password of ${name}: `)
  if (typed === undefined)
    throw new Failure(
      'bad-request',
      'there is no terminal to ask for a password; put it into a file, and name that by --password-file FILE',
    )
  if ((await io.askSecret?.('the same again: ')) !== typed)
    throw new Failure('bad-request', 'the two passwords are not the same; nothing was changed')
  return typed
}

async function passwordIn(file: string, { cwd }: CliIo): Promise<string> {
  const bytes = await readAtMost(resolve(cwd, file), mostOfPasswordFile).catch((error: unknown) => {
    throw new Failure('bad-request', `${file} cannot be read: ${failureMessage(error)}`)
  })
  if (!bytes)
    throw new Failure('bad-request', `${file} has more than ${mostOfPasswordFile} bytes; expected a password`)
  return bytes.toString('utf8').replace(/\r?\n$/, '')
}

/**
 * The moment that an option names: `90d`, `12h` and `30m` from now on (or ago), or a date such as `2027-01-31`.
 *
 * @throws Failure `bad-request`
 */
export function momentOf(option: string, text: string, direction: 1 | -1): number {
  const [, count = '', unit = ''] = /^(\d{1,5})(m|h|d)$/.exec(text.trim()) ?? []
  const ms = Number(count) * (units[unit] ?? Number.NaN)
  if (count !== '' && ms > 0) return Date.now() + direction * ms
  const date = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(date)) return date
  throw new Failure(
    'bad-request',
    `${option}: found ${JSON.stringify(text.slice(0, 40))}, expected a time such as 90d, 12h or 30m, or a date such as 2027-01-31 (UTC)`,
  )
}
const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

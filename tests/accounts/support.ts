import { onTestFinished } from 'vitest'
import { Accounts, type AccountsOptions } from '../../server/accounts/accounts.ts'
import type { ScryptCost } from '../../server/accounts/passwords.ts'
import type { SessionLimits } from '../../server/accounts/sessions.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import type { Store } from '../../server/store/store.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** Real scrypt that takes a millisecond. */
export const quickCost: ScryptCost = { ln: 10, r: 1, p: 1 }

export const minute = 60_000
export const hour = 60 * minute

export const goodPassword = 'correct horse battery'
export const host = { account: 'root on the host', from: 'command line' }

/** Two clocks that stand still until a test moves them. */
export class HandClock {
  nowMs = Date.UTC(2026, 0, 1)
  upMs = 5_000
  readonly now = (): number => this.nowMs
  readonly up = (): number => this.upMs

  /** Time goes by. */
  pass(ms: number): void {
    this.nowMs += ms
    this.upMs += ms
  }

  /** Somebody sets the clock. */
  step(ms: number): void {
    this.nowMs += ms
  }
}

export interface Opened {
  readonly accounts: Accounts
  readonly clock: HandClock
  readonly store: Store
  readonly dataFolder: string
  readonly limits: { idleMs: number; maxMs: number }
  readonly troubles: unknown[]
}

/** Accounts on an empty store in memory, or on the one that is passed in. */
export async function openAccounts(
  more: Partial<AccountsOptions> & {
    readonly store?: Store
    readonly legacy?: string
    readonly folder?: string
  } = {},
): Promise<Opened> {
  const { store = memoryStore(), legacy, folder: dataFolder = temporaryFolder(), ...options } = more
  const clock = new HandClock()
  const limits: SessionLimits & { idleMs: number; maxMs: number } = { idleMs: 30 * minute, maxMs: 12 * hour }
  const troubles: unknown[] = []
  const accounts = new Accounts({
    session: () => limits,
    onTrouble: (error) => troubles.push(error),
    clock,
    cost: quickCost,
    ...options,
  })
  await accounts.open({
    store: store.accounts,
    dataFolder,
    ...(legacy !== undefined && { legacy: { isValid: (token) => token === legacy } }),
  })
  onTestFinished(() => accounts.close())
  return { accounts, clock, store, dataFolder, limits, troubles }
}

/** The same with one admin, `anna`. */
export async function withAnna(more: Parameters<typeof openAccounts>[0] = {}): Promise<Opened> {
  const opened = await openAccounts(more)
  await opened.accounts.addAccount({ name: 'anna', role: 'admin', password: goodPassword }, host)
  return opened
}

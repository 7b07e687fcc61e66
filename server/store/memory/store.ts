import { randomBytes } from 'node:crypto'
import { defined } from '../../core/defined.ts'
import type { StorePast } from '../../core/guest/doubt.ts'
import type { MachineIdentity } from '../../core/guest/identity.ts'
import { mergeSeen, type UnknownMachine } from '../../core/guest/seen-machine.ts'
import type { GuestState, HistoryEntry, HoldReason } from '../../core/guest/state.ts'
import { type Decide, historyKept, type RecordChange, type Store, unknownMachinesKept } from '../store.ts'
import { MemoryAccounts } from './accounts.ts'
import { MemoryBoots } from './boots.ts'
import { MemoryWebhooks } from './webhooks.ts'

/** A store in memory, for tests and for commands that read a configuration without its history. */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly accounts = new MemoryAccounts()
  readonly boots = new MemoryBoots()
  readonly webhooks = new MemoryWebhooks()
  readonly #states = new Map<string, GuestState>()
  readonly #identities = new Map<string, MachineIdentity>()
  readonly #histories = new Map<string, readonly HistoryEntry[]>()
  readonly #machines = new Map<string, UnknownMachine>()
  readonly #secret = randomBytes(32)
  readonly #id = randomBytes(16).toString('hex')
  #changes = 0
  #settled = false
  #unjudged = false
  #doubt: HoldReason | undefined

  async states(): Promise<ReadonlyMap<string, GuestState>> {
    return new Map(this.#states)
  }

  async identities(): Promise<ReadonlyMap<string, MachineIdentity>> {
    return new Map([...this.#states.keys()].map((guest) => [guest, this.#identities.get(guest) ?? nothing]))
  }

  async change(guest: string, decide: Decide): Promise<GuestState | undefined> {
    return this.#change(guest, decide)
  }

  async record(changes: readonly RecordChange[]): Promise<void> {
    for (const change of changes) this.#recordOne(change)
  }

  async history(guest: string, installNumber?: number): Promise<readonly HistoryEntry[]> {
    const all = this.#histories.get(guest) ?? []
    return installNumber === undefined ? [...all] : all.filter((step) => step.install === installNumber)
  }

  async past(): Promise<StorePast> {
    const mark = { id: this.#id, changes: this.#changes }
    const unjudged = this.#unjudged || undefined
    return { mark, settled: this.#settled, witnessed: false, ...defined({ doubt: this.#doubt, unjudged }) }
  }

  async probe(): Promise<void> {}

  async unknownMachines(): Promise<readonly UnknownMachine[]> {
    return [...this.#machines.values()].sort((a, b) => b.lastMs - a.lastMs)
  }

  async addUnknownMachines(seen: readonly UnknownMachine[]): Promise<void> {
    for (const machine of seen) {
      const stored = this.#machines.get(machine.id)
      this.#machines.set(machine.id, stored ? mergeSeen(stored, machine) : machine)
    }
    const oldest = (await this.unknownMachines()).slice(unknownMachinesKept)
    for (const { id } of oldest) this.#machines.delete(id)
  }

  async forgetUnknownMachine(id: string): Promise<boolean> {
    return this.#machines.delete(id)
  }

  async secret(): Promise<Uint8Array> {
    return this.#secret
  }

  changedElsewhere(): boolean {
    return false
  }

  async close(): Promise<void> {}

  #change(guest: string, decide: Decide): GuestState | undefined {
    const before = this.#states.get(guest)
    const change = decide(before)
    if (!change) return before
    const { state, entry } = change
    if (state.state !== before?.state || state.install !== before.install) this.#changes++
    this.#states.set(guest, state)
    this.#histories.set(guest, [...(this.#histories.get(guest) ?? []), entry].slice(-historyKept))
    return state
  }

  #recordOne(change: RecordChange): void {
    if (change.kind === 'identity') return void this.#identities.set(change.guest, change.identity)
    if (change.kind === 'change') return void this.#change(change.guest, change.decide)
    if (change.kind === 'add') {
      if (this.#states.has(change.guest)) return
      this.#states.set(change.guest, change.state)
      this.#identities.set(change.guest, change.identity)
    } else if (change.kind === 'rename') {
      const { from, to, identity } = change
      if (this.#states.has(to)) return
      move(this.#states, from, to)
      move(this.#histories, from, to)
      this.#identities.delete(from)
      this.#identities.set(to, identity)
    } else if (change.kind === 'doubt') {
      this.#doubt = change.doubt
      this.#unjudged = false
    } else {
      this.#settled = true
      this.#unjudged = change.unjudged ?? false
    }
    this.#changes++
  }
}

const nothing: MachineIdentity = { macs: [] }

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from)
  map.delete(from)
  if (value !== undefined) map.set(to, value)
}

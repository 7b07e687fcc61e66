import { randomBytes } from 'node:crypto'
import { mergeSeen, type UnknownMachine } from '../../core/guest/seen-machine.ts'
import type { GuestState, HistoryEntry } from '../../core/guest/state.ts'
import { historyKept, type Store, unknownMachinesKept } from '../store.ts'

/** A store in memory, for tests and for commands that read a configuration without its history. */
export function memoryStore(): Store {
  const states = new Map<string, GuestState>()
  const histories = new Map<string, HistoryEntry[]>()
  const machines = new Map<string, UnknownMachine>()
  const secret = randomBytes(32)

  return {
    states: async () => new Map(states),
    async change(guest, decide) {
      const change = decide(states.get(guest))
      if (!change) return states.get(guest)
      states.set(guest, change.state)
      histories.set(guest, [...(histories.get(guest) ?? []), change.entry].slice(-historyKept))
      return change.state
    },
    async history(guest, installNumber) {
      const all = histories.get(guest) ?? []
      return installNumber === undefined ? [...all] : all.filter((step) => step.install === installNumber)
    },
    unknownMachines: async () => [...machines.values()].sort((a, b) => b.lastMs - a.lastMs),
    async addUnknownMachines(seen) {
      for (const machine of seen) {
        const stored = machines.get(machine.id)
        machines.set(machine.id, stored ? mergeSeen(stored, machine) : machine)
      }
      const oldest = [...machines.values()].sort((a, b) => b.lastMs - a.lastMs).slice(unknownMachinesKept)
      for (const { id } of oldest) machines.delete(id)
    },
    forgetUnknownMachine: async (id) => machines.delete(id),
    secret: async () => secret,
    changedElsewhere: () => false,
    close: async () => {},
  }
}

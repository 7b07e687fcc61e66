import { randomBytes } from 'node:crypto'
import { type Machine, mergeMachines } from '../../core/guest/seen-machine.ts'
import type { GuestState, Step } from '../../core/guest/state.ts'
import { inboxSize, type Store, storySize } from '../store.ts'

/** A store that forgets everything at the end: for tests, and for looking at a configuration without its history. */
export function memoryStore(): Store {
  const lives = new Map<string, GuestState>()
  const stories = new Map<string, Step[]>()
  const machines = new Map<string, Machine>()
  const secret = randomBytes(32)

  return {
    lives: async () => new Map(lives),
    async change(guest, decide) {
      const change = decide(lives.get(guest))
      if (!change) return lives.get(guest)
      lives.set(guest, change.life)
      stories.set(guest, [...(stories.get(guest) ?? []), change.step].slice(-storySize))
      return change.life
    },
    async story(guest, install) {
      const all = stories.get(guest) ?? []
      return install === undefined ? [...all] : all.filter((step) => step.install === install)
    },
    inbox: async () => [...machines.values()].sort((a, b) => b.lastMs - a.lastMs),
    async sight(seen) {
      for (const machine of seen) {
        const known = machines.get(machine.id)
        machines.set(machine.id, known ? mergeMachines(known, machine) : machine)
      }
      const oldest = [...machines.values()].sort((a, b) => b.lastMs - a.lastMs).slice(inboxSize)
      for (const { id } of oldest) machines.delete(id)
    },
    forget: async (id) => machines.delete(id),
    secret: async () => secret,
    changedElsewhere: () => false,
    close: async () => {},
  }
}

import { LRUCache } from 'lru-cache'
import { machineOf, mergeSeen, type SeenMachine, type UnknownMachine } from '../core/guest/seen-machine.ts'
import { type Store, unknownMachinesKept } from '../store/store.ts'

export interface UnknownMachinesOptions {
  readonly store: Store
  readonly clock: () => number
  readonly onTrouble: (error: unknown) => void
}

/** One boot asks within seconds by UUID, by MAC and by address; this long an address stands for the same machine. */
const sameMachineMs = 60_000
/** What was seen in this time is written together: a storm of requests is one write. */
const gatherMs = 300

/** Gathers what machines show of themselves that are not guests, and writes it to the store now and then. */
export class UnknownMachines {
  readonly #options: UnknownMachinesOptions
  readonly #waiting = new LRUCache<string, UnknownMachine>({ max: unknownMachinesKept })
  readonly #atAddress = new LRUCache<string, UnknownMachine>({ max: unknownMachinesKept })
  readonly #outdated = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: UnknownMachinesOptions) {
    this.#options = options
  }

  /** Costs no I/O. What tells no machine from another is dropped. */
  seen(shown: SeenMachine): void {
    const seen = machineOf(shown, this.#options.clock())
    if (!seen) return
    const machine = this.#joined(seen)
    const waiting = this.#waiting.get(machine.id)
    this.#waiting.set(machine.id, waiting ? mergeSeen(waiting, machine) : machine)
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs).unref()
  }

  /** Writes what waits. Never rejects: a list that cannot be written must not stop a boot. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const machines = [...this.#waiting.values()].reverse()
    const outdated = [...this.#outdated]
    this.#waiting.clear()
    this.#outdated.clear()
    try {
      if (machines.length > 0) await this.#options.store.addUnknownMachines(machines)
      for (const id of outdated) await this.#options.store.forgetUnknownMachine(id)
    } catch (error) {
      this.#options.onTrouble(error)
    }
  }

  /** PXELINUX shows the UUID first and the MAC next, by two requests from one address. */
  #joined(seen: UnknownMachine): UnknownMachine {
    const { address } = seen
    if (address === undefined) return seen
    const before = this.#atAddress.get(address)
    const same = before && seen.lastMs - before.lastMs < sameMachineMs && agree(before, seen)
    const known = same ? { ...before, ...seen, id: before.mac ?? seen.id } : seen
    if (same && before.id !== known.id) this.#replace(before.id)
    this.#atAddress.set(address, known)
    return known
  }

  /** A row by UUID, for a machine whose MAC is known now. */
  #replace(id: string): void {
    this.#waiting.delete(id)
    this.#outdated.add(id)
  }
}

/** An address may have gone to another machine meanwhile. */
function agree(a: UnknownMachine, b: UnknownMachine): boolean {
  const differ = (one: string | undefined, other: string | undefined): boolean =>
    one !== undefined && other !== undefined && one !== other
  return !differ(a.mac, b.mac) && !differ(a.uuid, b.uuid)
}

import { type Machine, machineOf, mergeMachines, type SeenMachine } from '../core/guest/seen-machine.ts'
import { inboxSize, type Store } from '../store/store.ts'

export interface InboxOptions {
  readonly store: Store
  readonly clock: () => number
  readonly onTrouble: (error: unknown) => void
}

/** One boot asks within seconds by UUID, by MAC and by address; this long an address stands for the same machine. */
const sameMachineMs = 60_000
/** What was seen is written together: a storm of requests is one write. */
const gatherMs = 300

/** Gathers what unknown machines show of themselves, and writes it to the store now and then. */
export class Inbox {
  readonly #options: InboxOptions
  readonly #waiting = new Map<string, Machine>()
  readonly #atAddress = new Map<string, Machine>()
  #outdated = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: InboxOptions) {
    this.#options = options
  }

  /** Costs no I/O. A seenMachine that tells no machine from another is dropped. */
  seen(seenMachine: SeenMachine): void {
    const seen = machineOf(seenMachine, this.#options.clock())
    if (!seen) return
    const machine = this.#joined(seen)
    const waiting = this.#waiting.get(machine.id)
    this.#waiting.set(machine.id, waiting ? mergeMachines(waiting, machine) : machine)
    if (this.#waiting.size > inboxSize) this.#waiting.delete(this.#waiting.keys().next().value ?? '')
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs).unref()
  }

  /** Writes what waits. Never rejects: an inbox that cannot be written must not stop a boot. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const [machines, outdated] = [[...this.#waiting.values()], [...this.#outdated]]
    this.#waiting.clear()
    this.#outdated.clear()
    try {
      if (machines.length > 0) await this.#options.store.sight(machines)
      for (const id of outdated) await this.#options.store.forget(id)
    } catch (error) {
      this.#options.onTrouble(error)
    }
  }

  /** PXELINUX shows the UUID first and the MAC next, by two requests from one address. */
  #joined(seen: Machine): Machine {
    const { address } = seen
    if (address === undefined) return seen
    const before = this.#atAddress.get(address)
    const same = before && seen.lastMs - before.lastMs < sameMachineMs && agree(before, seen)
    const known = same ? { ...before, ...seen, id: before.mac ?? seen.id } : seen
    if (same && before.id !== known.id) this.#replace(before.id)
    this.#atAddress.delete(address)
    this.#atAddress.set(address, known)
    if (this.#atAddress.size > inboxSize) this.#atAddress.delete(this.#atAddress.keys().next().value ?? '')
    return known
  }

  /** A row by UUID, for a machine whose MAC is known now. */
  #replace(id: string): void {
    this.#waiting.delete(id)
    this.#outdated.add(id)
  }
}

/** An address may have gone to another machine meanwhile. */
function agree(a: Machine, b: Machine): boolean {
  const differ = (one: string | undefined, other: string | undefined): boolean =>
    one !== undefined && other !== undefined && one !== other
  return !differ(a.mac, b.mac) && !differ(a.uuid, b.uuid)
}

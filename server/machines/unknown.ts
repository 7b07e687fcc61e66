import { Failure, failureMessage } from '../core/failure.ts'
import { machineOf, mergeSeen, type SeenMachine, type UnknownMachine } from '../core/guest/seen-machine.ts'
import { lru } from '../host/lru.ts'
import { type Store, unknownMachinesKept } from '../store/store.ts'

export interface UnknownMachinesOptions {
  readonly store: Store
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Gets the error when the store cannot be written. */
  readonly onTrouble: (error: unknown) => void
}

/**
 * While a machine boots, it asks by UUID, by MAC and by address within seconds. Requests that follow one
 * another at one address within this time may come from the same machine.
 */
const sameMachineMs = 60_000
/** Machines seen within this time are written together, so that many requests cost one write. */
const gatherMs = 300

/** Collects what requests tell of machines that are not guests, and writes it to the store soon after. */
export class UnknownMachines {
  readonly #options: UnknownMachinesOptions
  /** By id: machines that are not written yet. */
  readonly #waiting = lru<string, UnknownMachine>(unknownMachinesKept)
  /** By address: the machine that was last seen there. */
  readonly #atAddress = lru<string, UnknownMachine>(unknownMachinesKept)
  /** Ids of rows that a row with another id replaces. */
  readonly #outdated = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: UnknownMachinesOptions) {
    this.#options = options
  }

  /** Notes a machine, without I/O. A request that names neither a MAC nor a UUID is dropped. */
  seen(shown: SeenMachine): void {
    const seen = machineOf(shown, this.#options.clock())
    if (!seen) return
    const machine = this.#withEarlier(seen)
    const waiting = this.#waiting.get(machine.id)
    this.#waiting.set(machine.id, waiting ? mergeSeen(waiting, machine) : machine)
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs).unref()
  }

  /** Writes the machines that wait. Never rejects: a list that cannot be written must not stop a boot. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // lru-cache lists the newest first; the store gets them in the order in which they were seen.
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

  /**
   * Forgets a machine, until it asks again. False when it is not known.
   *
   * @throws Failure `unavailable` when that cannot be stored now.
   */
  async forget(id: string): Promise<boolean> {
    await this.flush()
    for (const [address, machine] of this.#atAddress.entries())
      if (machine.id === id) this.#atAddress.delete(address)
    try {
      return await this.#options.store.forgetUnknownMachine(id)
    } catch (error) {
      this.#options.onTrouble(error)
      throw new Failure('unavailable', `the inbox cannot be written now: ${failureMessage(error)}`, {
        cause: error,
      })
    }
  }

  /**
   * The machine of a request, with what earlier requests from the same address told about it. PXELINUX sends
   * the UUID in one request and the MAC in the next.
   */
  #withEarlier(seen: UnknownMachine): UnknownMachine {
    const { address } = seen
    if (address === undefined) return seen
    const before = this.#atAddress.get(address)
    const isSame = before && seen.lastMs - before.lastMs < sameMachineMs && mayBeSame(before, seen)
    const machine = isSame ? { ...before, ...seen, id: before.mac ?? seen.id } : seen
    if (isSame && before.id !== machine.id) this.#dropRow(before.id)
    this.#atAddress.set(address, machine)
    return machine
  }

  /** Drops the row with a UUID as id, of a machine whose MAC is known now. */
  #dropRow(id: string): void {
    this.#waiting.delete(id)
    this.#outdated.add(id)
  }
}

/** Whether two requests from one address may name one machine. Another machine may have the address now. */
function mayBeSame(a: UnknownMachine, b: UnknownMachine): boolean {
  const differ = (x: string | undefined, y: string | undefined): boolean =>
    x !== undefined && y !== undefined && x !== y
  return !differ(a.mac, b.mac) && !differ(a.uuid, b.uuid)
}

import type { Snapshot } from '../catalog/snapshot.ts'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import {
  type AutoGuest,
  autoGuestOf,
  confirms,
  defaultAutoLimit,
  mostAutoGuests,
} from '../core/guest/auto-guest.ts'
import type { Guest } from '../core/guest/guest.ts'
import { identityOf } from '../core/guest/identity.ts'
import type { MachineFacts } from '../core/guest/machine-facts.ts'
import type { Selected, Selector } from '../core/guest/selectors.ts'
import { whyHeld } from '../core/guest/state.ts'
import { canonicalIp } from '../core/net/address.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import { sameUuid } from '../core/net/uuid.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { lru } from '../host/lru.ts'
import { unknownMachinesKept } from '../store/store.ts'
import { fullListProblem, halfMadeProblems, limitProblem } from './auto-guest-problems.ts'
import { whyAddressOf, whyMayBeGuest, whyNoLoader } from './auto-guest-reasons.ts'
import type { Machines } from './machines.ts'

export interface AutoGuestsOptions {
  readonly snapshot: () => Snapshot
  readonly machines: Pick<
    Machines,
    | 'stateOf'
    | 'states'
    | 'whyNotWritable'
    | 'uuidOf'
    | 'fresh'
    | 'recordedOf'
    | 'addRecord'
    | 'doubt'
    | 'seenMachines'
  >
  /** The MAC that the kernel knows for an address on a network that we are on. */
  readonly macAt: (address: string) => Promise<string | undefined>
  /** Why the configuration in force is not what stands on the disk; undefined while it is. */
  readonly whyNotInForce: () => string | undefined
  /** Why the file of a guest cannot be written now. */
  readonly whyReadOnly: (name: string) => Promise<string | undefined>
  /**
   * Writes the file of a guest. Calls `before` when nothing else speaks against it, under the lock of definitions.
   * Resolves when the file is on the disk and the snapshot has the guest.
   */
  readonly make: (made: AutoGuest, before: () => Promise<void>) => Promise<void>
  /** Milliseconds of a clock that nobody sets: one set back would make room for more guests. */
  readonly clock?: () => number
}

/** What becomes of a machine that a profile with `auto: install` selects. */
export type Considered = AutoGuest | { readonly why: string }

/** A machine that asks, and what selected it. */
export interface Candidate {
  readonly selected: Extract<Selected, { kind: 'profile' }>
  readonly shown: MachineFacts
  readonly who: Requester
}

/** The machine of a guest that was made before, and what selects it now. */
export interface Returned extends Omit<Candidate, 'selected'> {
  readonly guest: Guest
  readonly selected: Selected
}

const hourMs = 3_600_000
const keptMs = 500
const mostKept = 1000
/** A loader waits for its configuration about so long. What is made later is there when the machine asks again. */
const patienceMs = 20_000

/**
 * Makes guests of unknown machines, for profiles with `auto: install`. Such a guest is installed, so its disk is erased. In
 * doubt of any kind the machine is told to boot its own disk.
 *
 * `consider` is a question and changes nothing. `claim` is made by the request that fetches the boot configuration, before
 * its first byte: then the guest has its record in the store, and its file. The record comes first: a file without one
 * installs nothing (`whyForeign` in core/guest/definitions.ts).
 */
export class AutoGuests {
  readonly #options: AutoGuestsOptions
  /** By profile: when it made guests, within the last hour. */
  readonly #made = new Map<string, number[]>()
  /** By name: guests that are being made. A machine asks twice when its first request takes long. */
  readonly #making = new Map<string, Promise<void>>()
  /** By identity: what the store said a moment ago. */
  readonly #strangers = lru<string, { readonly atMs: number; readonly why: Promise<string | undefined> }>(
    mostKept,
  )

  /** Whether the list of machines that were seen was full when it was last read. */
  #isListFull = false

  constructor(options: AutoGuestsOptions) {
    this.#options = options
  }

  /** The guest that a machine becomes when it fetches its boot configuration, or why it becomes none. Never rejects. */
  async consider(candidate: Candidate): Promise<Considered> {
    const { selected, shown } = candidate
    const made = autoGuestOf(selected, shown, this.#options.snapshot().profiles)
    if ('why' in made) return made
    return this.#judge(made, candidate).catch((error: unknown) => ({ why: failureMessage(error) }))
  }

  async #judge(made: AutoGuest, candidate: Candidate): Promise<Considered> {
    const { selected } = candidate
    const { address, agent = '' } = candidate.who
    const why =
      whyNoLoader(agent) ??
      this.#whyNotNow(made) ??
      this.#whyTooMany(selected.selector) ??
      (await this.#whyUnproven(made.guest, candidate.who)) ??
      (await this.#options.whyReadOnly(made.guest.name)) ??
      whyMayBeGuest(made, this.#options.snapshot().guests) ??
      whyAddressOf(address, this.#options.snapshot().guests) ??
      (await this.#whyStranger(made, address))
    return why === undefined ? made : { why }
  }

  /**
   * Makes the guest. When this resolves, the guest is in force, and its record says that it is to be installed.
   *
   * @throws Failure `unavailable` when anything has changed since it was considered, or cannot be stored: no byte of the
   *   configuration may be sent then. The machine that asks again gets what is right at that moment.
   */
  async claim(made: AutoGuest, candidate: Candidate): Promise<void> {
    const { name } = made.guest
    let making = this.#making.get(name)
    if (!making) {
      making = this.#make(made, candidate).finally(() => this.#making.delete(name))
      this.#making.set(name, making)
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(refusal(name, 'making it takes too long')), patienceMs).unref()
    })
    await Promise.race([making, late]).finally(() => clearTimeout(timer))
    // Another request may have made it, with another UUID.
    const why = this.#whyNotReady(made)
    if (why !== undefined) throw refusal(name, why)
  }

  /**
   * Why the machine of a guest that a profile made is not installed now. What made the guest is asked again each time, until
   * somebody orders an installation: the machine that comes now may be another one than that which was selected, and the
   * profile may select none any more. Undefined for all other guests.
   */
  async whyNotConfirmed({ guest, selected, shown, who }: Returned): Promise<string | undefined> {
    const state = this.#options.machines.stateOf(guest.name)
    if (!guest.shown || state?.state !== 'install' || state.install > 0) return undefined
    if (!confirms(guest.shown, shown))
      return 'its machine has shown neither the UUID nor the serial number of which a profile made it a guest'
    const [profile] = guest.profiles
    if (selected.kind !== 'profile' || selected.selector.auto !== 'install' || selected.waits.size > 0)
      return `profile ${profile} made it a guest, and no profile with auto: install selects it now`
    if (selected.selector.profile !== profile)
      return `profile ${profile} made it a guest, and profile ${selected.selector.profile} selects it now`
    return this.#whyUnproven(guest, who)
  }

  /** Profiles that make no more guests for now, and guests that were made by half. */
  problems(): readonly SnapshotProblem[] {
    const { snapshot, machines } = this.#options
    const { selectors, guests } = snapshot()
    const stopped = selectors.flatMap((selector) => {
      if (selector.auto !== 'install') return []
      const why = this.#whyTooMany(selector)
      const full = this.#isListFull ? [fullListProblem(selector)] : []
      return why === undefined ? full : [limitProblem(selector, why), ...full]
    })
    return [...stopped, ...halfMadeProblems(machines.states, guests, (name) => this.#making.has(name))]
  }

  async #make(made: AutoGuest, { selected: { selector }, who: { address } }: Candidate): Promise<void> {
    const { machines, snapshot, make } = this.#options
    const { name } = made.guest
    try {
      await make(made, async () => {
        await machines.fresh()
        const now = snapshot().selectors.find(({ profile }) => profile === made.profile)
        const isAsBefore = JSON.stringify(now) === JSON.stringify(selector)
        const why = isAsBefore
          ? (this.#whyNotNow(made) ??
            this.#whyTooMany(selector) ??
            (await this.#whyKnown(made, address)) ??
            whyMayBeGuest(made, snapshot().guests) ??
            whyAddressOf(address, snapshot().guests) ??
            (await this.#whySeen(made)))
          : 'its profile was changed meanwhile'
        if (why !== undefined) throw refusal(name, why)
        // Counted before it is written, so that what fails in the middle counts, too.
        this.#recent(made.profile).push(this.#nowMs())
        this.#strangers.clear()
        await machines.addRecord(made.guest)
      })
    } catch (error) {
      throw refusal(name, failureMessage(error))
    }
    await machines.fresh()
  }

  /** Why a guest that was just written must not be installed: what is in force is not what was meant. */
  #whyNotReady({ guest, profile }: AutoGuest): string | undefined {
    const { snapshot, machines } = this.#options
    const found = snapshot().guests.match({ macs: guest.macs, ...guest.shown })
    if (found?.guest.name !== guest.name || found.isWeak) return 'another guest has its MAC address'
    if (found.guest.refused !== undefined) return found.guest.refused
    if (found.guest.profiles[0] !== profile) return 'its file was changed meanwhile'
    const state = machines.stateOf(guest.name)
    return state?.state === 'install' ? undefined : `its state is ${state?.state ?? 'not known'}`
  }

  #whyNotNow({ guest }: AutoGuest): string | undefined {
    const { machines, snapshot, whyNotInForce } = this.#options
    const doubt = machines.doubt()
    if (doubt) return whyHeld({ hold: doubt.reason })
    const refused = snapshot().guests.all.find((each) => each.refused !== undefined)
    if (refused) return `guest ${refused.name} cannot be read, and may be this machine: ${refused.refused}`
    if (snapshot().guests.byName(guest.name)) return `there is a guest ${guest.name} already`
    return machines.whyNotWritable() ?? whyNotInForce()
  }

  #whyTooMany({ profile, autoLimit = defaultAutoLimit }: Selector): string | undefined {
    const recent = this.#recent(profile).length
    if (recent >= autoLimit) return `it has made ${recent} within the last hour (auto-limit: ${autoLimit})`
    const all = this.#options.snapshot().guests.all.filter(({ shown }) => shown !== undefined).length
    if (all >= mostAutoGuests) return `${all} guests were made by profiles, and no more than that may be`
    return undefined
  }

  /**
   * Why nothing but its own word says that the machine has this MAC. Anybody can name a MAC in a path; the disk at stake is
   * that of the machine which really has it. The kernel knows the MAC of an address on a network that we are on, and our
   * DHCP service hears the MAC together with the UUID.
   */
  async #whyUnproven({ macs, shown }: Guest, who: Requester): Promise<string | undefined> {
    const { machines, macAt } = this.#options
    const [mac = ''] = macs
    // The table comes first: whoever can send a DHCP request can name any MAC and any UUID in it.
    const neighbour = await macAt(who.address)
    if (neighbour !== undefined && !macs.includes(canonicalMac(neighbour) ?? ''))
      return `${who.address} has the MAC ${neighbour}, and says that it is ${mac}`
    const heard = machines.uuidOf(mac)
    if (heard !== undefined && shown?.uuid !== undefined) {
      if (sameUuid(heard, shown.uuid)) return undefined
      return `a machine with the MAC ${mac} has shown another UUID to the DHCP service`
    }
    if (neighbour !== undefined) return undefined
    return `nothing proves that ${who.address} has the MAC ${mac}: it is on no network of this server, and its DHCP request was not heard here`
  }

  /**
   * What the store says against it. This reads the records of all guests, and anybody who has the right MAC may ask again and
   * again: the answer holds for a moment. A claim reads them itself.
   */
  #whyStranger(made: AutoGuest, address: string): Promise<string | undefined> {
    const key = JSON.stringify([made.guest.macs, made.guest.shown, address])
    const kept = this.#strangers.get(key)
    if (kept && this.#nowMs() - kept.atMs < keptMs) return kept.why
    const why = this.#whyKnown(made, address).then((known) => known ?? this.#whySeen(made))
    this.#strangers.set(key, { atMs: this.#nowMs(), why })
    // A store that could not be read says nothing of the machine: who asks next reads it again.
    why.catch(() => {
      if (this.#strangers.peek(key)?.why === why) this.#strangers.delete(key)
    })
    return why
  }

  /** Why the machine is none that nobody knows: records outlive the definitions of guests. */
  async #whyKnown({ guest }: AutoGuest, address: string): Promise<string | undefined> {
    const { machines } = this.#options
    const ip = canonicalIp(address)
    const { names, mayBe } = await machines.recordedOf({ ...identityOf(guest), ...defined({ ip }) })
    const known = new Set(names)
    if (this.#hasRecord(guest.name)) known.add(guest.name)
    if (known.size > 0) return `the store knows it as guest ${[...known].join(' and ')}; ${byHand}`
    if (!mayBe) return undefined
    const { name, key } = mayBe
    return `it has not shown its ${key}, by which it may be guest ${name}, of which the store has a record; ${byHand}`
  }

  /**
   * Whether the machine was seen with another card: by that one it may be a guest which is known by its MAC alone.
   */
  async #whySeen({ guest: { macs, shown } }: AutoGuest): Promise<string | undefined> {
    const seen = await this.#options.machines.seenMachines()
    // Rows of strangers push out older ones, also those of guests.
    this.#isListFull = seen.length >= unknownMachinesKept
    if (this.#isListFull)
      return `more than ${unknownMachinesKept} machines were seen: it may have been seen with another card before`
    const other = seen.find(
      ({ mac, uuid, serial }) =>
        mac !== undefined &&
        !macs.includes(mac) &&
        ((uuid !== undefined && shown?.uuid !== undefined && sameUuid(uuid, shown.uuid)) ||
          (serial !== undefined && serial === shown?.serial)),
    )
    if (!other) return undefined
    const known = this.#options.snapshot().guests.match({ macs: [other.mac ?? ''] })?.guest.name
    return `it was seen with the MAC ${other.mac}, too${known === undefined ? '' : `, which is guest ${known}`}`
  }

  /** A guest without a record counts as held, and has no time. */
  #hasRecord(name: string): boolean {
    const state = this.#options.machines.stateOf(name)
    return state !== undefined && !(state.state === 'held' && state.sinceMs === 0)
  }

  #recent(profile: string): number[] {
    const sinceMs = this.#nowMs() - hourMs
    const recent = (this.#made.get(profile) ?? []).filter((atMs) => atMs > sinceMs)
    this.#made.set(profile, recent)
    return recent
  }

  #nowMs(): number {
    return this.#options.clock?.() ?? performance.now()
  }
}

const byHand = 'make it a guest by hand'

function refusal(name: string, why: string): Failure {
  return new Failure('unavailable', `${name} is not made a guest now: ${why}`)
}

import { advance, beginsBoot, newBoot, restarts, toDisk } from '../core/boots/advance.ts'
import { type Boot, isDone, stepOf } from '../core/boots/boot.ts'
import type { Fact, Who } from '../core/boots/facts.ts'
import { closeAfterMs, closed, judged } from '../core/boots/judge.ts'
import { shifted } from '../core/boots/shifted.ts'
import { withNews } from '../core/boots/steps.ts'
import { lru } from '../host/lru.ts'

export interface OpenBootsOptions {
  /**
   * How many boots of guests, and how many of other machines, are open at once. One more closes the one of its kind of which
   * nothing was heard for the longest time: a stranger with many names closes no boot of a guest.
   */
  readonly most?: number
  /** The id of the next boot. */
  readonly nextId: number
  /** Called with each boot that is new or has changed. */
  readonly onChange: (boot: Boot) => void
  /** Called with the id of a boot that turned out to be a part of another. */
  readonly onRemove: (id: number) => void
}

const defaultMost = 2000
/** Guests whose usual silence is remembered. */
const mostUsual = 4000
/** In milliseconds: no machine panics, resets, tests its memory and asks for a loader in less. */
const soonestResetMs = 1500
/** In milliseconds: an address belongs to the same machine for so long before its kernel was loaded. */
const addressMs = 10 * 60_000

/**
 * The boots to which something may still be added, and the names by which they are found. Memory is bounded: by `most`, and
 * by the names that `Boot` keeps.
 */
export class OpenBoots {
  readonly #options: OpenBootsOptions
  /** The one that was heard of last comes last. */
  readonly #boots = new Map<number, Boot>()
  /** Ids of the boots of machines that are no guests, in the same order. */
  readonly #strangers = new Set<number>()
  /** `guest web01`, `mac ...`, `uuid ...`, `address ...` to ids. */
  readonly #names = new Map<string, number>()
  /** By guest: the longest silence of its last installation that ended well. */
  readonly #usual = lru<string, number>(mostUsual)
  #nextId: number

  constructor(options: OpenBootsOptions) {
    this.#options = options
    this.#nextId = options.nextId
  }

  get size(): number {
    return this.#boots.size
  }

  /** How many names are known, for tests of the bound. */
  get names(): number {
    return this.#names.size
  }

  /** Learns from an earlier boot how slow its machine is. */
  learn({ guest, signs, ...boot }: Boot): void {
    const isInstalled = boot.steps.some(({ kind, status }) => kind === 'end' && status === 'done')
    if (isInstalled && guest !== undefined) this.#usual.set(guest, signs.longestMs ?? 0)
  }

  /** Whether a boot knows this address. Cheap: it is asked for each file that anybody fetches. */
  knowsAddress(address: string): boolean {
    return this.#names.has(`address ${address}`)
  }

  /** The guest whose boot knows this address. */
  guestAt(address: string): string | undefined {
    return this.#byNames([`address ${address}`])?.guest
  }

  /**
   * Takes a boot back that was open when the server stopped. The transfers of that time have ended. One that lies in the
   * future was written by another clock: the battery of this machine may be empty.
   */
  restore(boot: Boot, nowMs: number): void {
    const past = boot.lastMs > nowMs ? shifted(boot, nowMs - boot.lastMs) : boot
    this.#put({ ...past, signs: { ...past.signs, sending: 0 } })
    if (past !== boot) this.#options.onChange(past)
    this.#bound(boot.lastMs)
  }

  /** Adds a fact to the boot that it concerns, or begins one with it. */
  note(fact: Fact, nowMs: number): void {
    const found = this.#find(fact, nowMs)
    const isRestart = found && restarts(found, fact, nowMs)
    const before = isRestart && this.#maybeAnothers(fact, found, nowMs) ? undefined : found
    const begun = found && !isRestart ? found : this.#begin(fact, before, nowMs)
    if (!begun) return
    const known = fact.kind === 'file' || fact.kind === 'sending' ? withKernel(fact, begun) : fact
    const whole = this.#withUsual(this.#absorbOther(advance(begun, known, nowMs), fact, nowMs))
    // A sign of life alone changes no state for the worse.
    const saysLittle = known.kind === 'log' || (known.kind === 'file' && known.role === 'metadata')
    const isLife = saysLittle && whole.state === 'running'
    this.#change(isLife ? whole : judged(whole, nowMs))
    if (isDone(whole, 'disk') && whole.after !== undefined) this.#firstDisk(whole.after, nowMs)
    this.#bound(nowMs)
  }

  /** The clock was set by so much: what happened before keeps its distance from now. */
  shift(byMs: number): void {
    for (const boot of [...this.#boots.values()]) {
      const moved = shifted(boot, byMs)
      this.#boots.set(boot.id, moved) // stays in its place
      this.#options.onChange(moved)
    }
  }

  /** Judges all boots anew, and closes those in which nothing happens any more. */
  look(nowMs: number): void {
    for (const boot of [...this.#boots.values()]) {
      if (nowMs - boot.lastMs > closeAfterMs) this.#close(boot, nowMs)
      else {
        const now = judged(boot, nowMs)
        if (now === boot) continue
        this.#boots.set(boot.id, now) // stays in its place
        this.#options.onChange(now)
      }
    }
  }

  #withUsual(boot: Boot): Boot {
    if (boot.usualMs !== undefined || boot.guest === undefined) return boot
    const usualMs = this.#usual.get(boot.guest)
    return usualMs === undefined ? boot : { ...boot, usualMs }
  }

  #begin(fact: Fact, before: Boot | undefined, nowMs: number): Boot | undefined {
    if (!beginsBoot(fact)) return undefined
    const boot = newBoot(this.#nextId++, nowMs)
    if (!before) return boot
    const replaced = { ...before, signs: { ...before.signs, replacedMs: nowMs } }
    this.#close(replaced, nowMs)
    const { guest, macs, uuid } = before
    const isInstalled = isDone(before, 'end')
    return {
      ...boot,
      macs,
      ...(guest !== undefined && { guest }),
      ...(uuid !== undefined && { uuid }),
      ...(isInstalled && { after: before.id }),
    }
  }

  /** The strongest name decides: guest, MAC, UUID, and last the address. */
  #find({ who }: Fact, nowMs: number): Boot | undefined {
    const named = this.#byNames(namesOf({ ...who, address: undefined }))
    return named ?? this.#atAddress(who, nowMs)
  }

  #byNames(names: Iterable<string>): Boot | undefined {
    for (const name of names) {
      const id = this.#names.get(name)
      const boot = id === undefined ? undefined : this.#boots.get(id)
      if (boot) return boot
    }
    return undefined
  }

  /** Another machine may have the address now: then the request says so, or it comes late. */
  #atAddress(who: Who, nowMs: number): Boot | undefined {
    const { address } = who
    const boot = address === undefined ? undefined : this.#byNames([`address ${address}`])
    if (!boot || contradicts(boot, who)) return undefined
    const longest = isDone(boot, 'kernel') || stepOf(boot, 'answer-file') ? closeAfterMs : addressMs
    return nowMs - boot.lastMs <= longest ? boot : undefined
  }

  /**
   * Two machines behind one address (NAT): a loader that names nobody may be that of either, and does not show that one of them
   * began anew. What names its machine later takes it over (`#absorbOther`).
   */
  #maybeAnothers({ who }: Fact, found: Boot, nowMs: number): boolean {
    const { address, guest, macs, uuid } = who
    if (address === undefined || guest !== undefined || macs.length > 0 || uuid !== undefined) return false
    if (nowMs - found.lastMs < soonestResetMs) return true
    for (const { id, addresses, ...boot } of this.#boots.values())
      if (id !== found.id && addresses.includes(address) && contradicts(found, boot)) return true
    return false
  }

  /**
   * A loader was fetched from an address before anybody could know whose that is: where DHCP packets do not come here. When a
   * later request names the machine, both are one boot.
   */
  #absorbOther(boot: Boot, { who }: Fact, nowMs: number): Boot {
    if (who.address === undefined || boot.macs.length === 0) return boot
    const other = this.#byNames([`address ${who.address}`])
    const isNameless = other && other.guest === undefined && other.macs.length === 0
    if (!isNameless || other.id === boot.id || nowMs - other.lastMs > addressMs) return boot
    this.#remove(other)
    this.#options.onRemove(other.id)
    const missing = other.steps.filter(({ kind }) => !stepOf(boot, kind))
    let { steps } = boot
    for (const { kind, status, startMs, endMs, bytes, retries, what, words } of missing)
      steps = withNews(steps, { kind, status, startMs, endMs, bytes, retries, what, words })
    return { ...boot, steps, startMs: Math.min(boot.startMs, other.startMs) }
  }

  #firstDisk(id: number, nowMs: number): void {
    const before = this.#boots.get(id)
    if (before && !stepOf(before, 'disk'))
      this.#finish(toDisk(before, 'its first boot from disk', nowMs), nowMs)
  }

  /** A boot that installed its machine stays known until that machine starts its disk. */
  #close(boot: Boot, nowMs: number): void {
    const waits = isDone(boot, 'end') && !stepOf(boot, 'disk') && nowMs - boot.lastMs <= closeAfterMs
    if (!waits) {
      this.#finish(boot, nowMs)
      return
    }
    this.#forgetNames(boot)
    this.#boots.set(boot.id, boot)
    this.#options.onChange(judged(boot, nowMs))
  }

  #finish(boot: Boot, nowMs: number): void {
    this.#remove(boot)
    this.#options.onChange(closed(boot, nowMs))
  }

  #change(boot: Boot): void {
    this.#put(boot)
    if (boot.state === 'done') this.learn(boot)
    this.#options.onChange(boot)
  }

  #put(boot: Boot): void {
    const before = this.#boots.get(boot.id)
    this.#boots.delete(boot.id)
    this.#boots.set(boot.id, boot)
    this.#strangers.delete(boot.id)
    if (boot.guest === undefined) this.#strangers.add(boot.id)
    if (before && hasSameNames(before, boot)) return
    if (before) this.#forgetNames(before)
    for (const name of allNames(boot)) this.#names.set(name, boot.id)
  }

  #remove(boot: Boot): void {
    this.#boots.delete(boot.id)
    this.#strangers.delete(boot.id)
    this.#forgetNames(boot)
  }

  #forgetNames(boot: Boot): void {
    for (const name of allNames(boot)) if (this.#names.get(name) === boot.id) this.#names.delete(name)
  }

  #bound(nowMs: number): void {
    const { most = defaultMost } = this.#options
    if (this.#strangers.size > most) {
      const [oldest = 0] = this.#strangers
      const boot = this.#boots.get(oldest)
      if (boot) this.#finish(boot, nowMs)
    }
    if (this.#boots.size - this.#strangers.size <= most) return
    for (const boot of this.#boots.values()) {
      if (this.#strangers.has(boot.id)) continue
      this.#finish(boot, nowMs)
      return
    }
  }
}

/** A kernel that a tree has under a name of its own is known by the path that was offered. */
function withKernel<F extends Extract<Fact, { kind: 'file' | 'sending' }>>(fact: F, { kernel }: Boot): F {
  return fact.path === kernel ? { ...fact, role: 'kernel' } : fact
}

/** By identity: names that nothing was added to are the same lists. */
function hasSameNames(a: Boot, b: Boot): boolean {
  return a.guest === b.guest && a.uuid === b.uuid && a.macs === b.macs && a.addresses === b.addresses
}

function contradicts(boot: Boot, { guest, macs, uuid }: Who): boolean {
  if (guest !== undefined && boot.guest !== undefined && guest !== boot.guest) return true
  if (uuid !== undefined && boot.uuid !== undefined && uuid !== boot.uuid) return true
  // A machine may name a second card, so other MACs contradict only where nothing else is the same.
  return (
    macs.length > 0 &&
    boot.macs.length > 0 &&
    !macs.some((mac) => boot.macs.includes(mac)) &&
    guest === undefined
  )
}

function* namesOf(
  who: Pick<Who, 'guest' | 'macs' | 'uuid'> & { readonly address?: string | undefined },
): Generator<string> {
  if (who.guest !== undefined) yield `guest ${who.guest}`
  for (const mac of who.macs) yield `mac ${mac}`
  if (who.uuid !== undefined) yield `uuid ${who.uuid}`
  if (who.address !== undefined) yield `address ${who.address}`
}

function* allNames(boot: Boot): Generator<string> {
  yield* namesOf(boot)
  for (const address of boot.addresses) yield `address ${address}`
}

import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootDecision } from '../core/boot/decision.ts'
import { defined } from '../core/defined.ts'
import { machineFacts } from '../core/guest/machine-facts.ts'
import type { SeenMachine } from '../core/guest/seen-machine.ts'
import { parseBootPath } from '../core/loader/boot-path.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Event, EventSink } from '../events/bus.ts'
import type { GuestHistory } from './history.ts'
import type { LoaderMemory } from './loader-memory.ts'
import type { MachineNames } from './machine-names.ts'
import type { SelectorTies } from './selector-ties.ts'
import type { UnknownMachines } from './unknown.ts'
import type { VersionViews } from './views.ts'

type Served = Extract<Event, { type: 'served' }>

/** What learns from the files that were sent. */
interface ServedFilesParts {
  readonly snapshot: () => Snapshot
  readonly events: EventSink
  /** The MAC of a machine on a network that we are on, by its address. */
  readonly macAt?: ((address: string) => Promise<string | undefined>) | undefined
  readonly loaders: LoaderMemory
  readonly history: GuestHistory
  readonly views: VersionViews
  readonly names: MachineNames
  readonly ties: SelectorTies
  /** Undefined before the store is open. */
  readonly unknown: () => UnknownMachines | undefined
}

/** Learns what machines loaded and who they are from the files that were really sent to them. */
export class ServedFiles {
  readonly #parts: ServedFilesParts

  constructor(parts: ServedFilesParts) {
    this.#parts = parts
  }

  note(event: Served): void {
    const { client, path, decision, who, ms } = event
    // During a long transfer the client does not pause.
    this.#parts.views.transferred(client, ms)
    // HEAD and the LOOKUP of NFS fetch nothing.
    if (event.question) return
    if (event.kind === 'not-found') this.#notFound(event)
    if (event.bytes === 0) return
    if (decision?.kind === 'tree-file' && who) this.#parts.views.fetched(who, { ...decision, transferMs: ms })
    // Only a file that was sent to its end makes an offer or counts as a loaded kernel.
    if (event.outcome !== 'complete') return
    if (decision?.kind === 'boot') this.#booted(event, decision)
    else if (this.#parts.loaders.mayHaveSent(path)) void this.#tookLoader(client, path)
    this.#parts.history.fetched(client, path)
  }

  async #tookLoader(client: string, path: string): Promise<void> {
    const mac = await this.#parts.macAt?.(client).catch(() => undefined)
    this.#parts.loaders.fetched(path, mac === undefined ? undefined : canonicalMac(mac))
  }

  #booted({ protocol, client }: Served, decision: BootDecision): void {
    const { guest, facts, summary, loader } = decision
    const mac = this.#macOf(decision)
    const machine = mac ?? facts.uuid
    this.#parts.events({
      type: 'boot',
      protocol,
      client,
      decision: summary,
      ...defined({ guest, machine }),
    })
    if (mac !== undefined) this.#parts.loaders.ran(mac, loader)
    if (guest === undefined) this.#unknownBooted(decision, client)
    else {
      // By what a guest shows, another card of its machine is known.
      this.#parts.unknown()?.seen({ ...facts, ...(client !== '' && { address: client }) })
      void this.#parts.history.booted(decision, client)
    }
  }

  #unknownBooted({ facts, shown }: BootDecision, client: string): void {
    this.#seen({ ...facts, ...defined({ vendor: shown?.maker }) }, client)
    if (shown) this.#parts.ties.note(shown, this.#parts.snapshot().selectors)
  }

  #macOf({ facts: { macs = [], uuid } }: BootDecision): string | undefined {
    const [mac] = macs
    if (mac !== undefined) return canonicalMac(mac)
    return uuid === undefined ? undefined : this.#parts.names.macOf(uuid)
  }

  /**
   * A loader that asks for a file name with a MAC or a UUID gets 404 unless that machine is a guest. So after a
   * 404 the file name identifies an unknown machine.
   */
  #notFound({ protocol, client, path }: Served): void {
    // The loaders that we send fetch by these two services alone.
    if (protocol !== 'tftp' && protocol !== 'http') return
    const owner = parseBootPath(path)?.owner
    if (owner?.kind !== 'machine') return
    this.#seen(owner, client)
    const { macs, uuid } = owner
    const byDhcp = this.#parts.names.shown(defined({ macs, uuid }))
    const facts = machineFacts({
      ...byDhcp,
      macs: macs.length > 0 ? macs : byDhcp.macs,
      uuid,
      address: client,
    })
    if (!isGuest(this.#parts.snapshot(), facts))
      this.#parts.ties.note(facts, this.#parts.snapshot().selectors)
  }

  #seen(shown: SeenMachine, address: string): void {
    const { macs, uuid, serial, vendor } = shown
    const facts = defined({ macs, uuid, serial })
    const seen = { ...facts, ...defined({ vendor }) }
    if (!isGuest(this.#parts.snapshot(), facts))
      this.#parts.unknown()?.seen({ ...seen, ...(address !== '' && { address }) })
  }
}

export function isGuest(
  { guests }: Pick<Snapshot, 'guests'>,
  facts: Pick<SeenMachine, 'macs' | 'uuid' | 'serial'>,
): boolean {
  return guests.match(facts) !== undefined
}

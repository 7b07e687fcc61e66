import { LRUCache } from 'lru-cache'
import { defined } from '../core/defined.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'

/** Firmware that refuses an unsigned loader tells nobody. Known is only what it was sent, and which loader then asked us. */
interface Attempt {
  readonly sent: LoaderKind
  /** Transaction number of the DHCP request that was answered; a repeated request is the same attempt. */
  readonly xid: number
  /** The loader that was seen running. */
  readonly ran?: LoaderKind
  /** What the choice of the loader rested on. */
  readonly basis: LoaderHistory
}

/** What is known of a machine's firmware. */
export interface LoaderHistory {
  /** It started this loader before. */
  readonly starts?: LoaderKind
  /** It was sent this loader last time, and the loader never asked us for anything. */
  readonly refuses?: LoaderKind
}

const mostMachines = 10_000

/** Which loader each machine was sent last, and which it is known to have started. In memory; entries do not expire by time. */
export class LoaderMemory {
  readonly #attempts = new LRUCache<string, Attempt>({ max: mostMachines })

  /** What is known when a machine asks; the same again for a repeated request. */
  history(mac: string, xid: number): LoaderHistory {
    const attempt = this.#attempts.get(mac)
    if (!attempt) return {}
    if (attempt.xid === xid) return attempt.basis
    if (attempt.ran !== undefined) return { starts: attempt.ran }
    // Sent and never seen: the others have a turn, so that two that both fail do not hide a third.
    return { refuses: attempt.sent }
  }

  /** What its last attempt rested on: for the second half of the same conversation. */
  lastBasis(mac: string): LoaderHistory {
    return this.#attempts.get(mac)?.basis ?? {}
  }

  sent(mac: string, xid: number, sent: LoaderKind): void {
    const ran = this.#attempts.get(mac)?.ran
    const basis = this.history(mac, xid)
    this.#attempts.set(mac, { sent, xid, basis, ...defined({ ran: ran === sent ? ran : undefined }) })
  }

  /** The loader itself asked: iPXE by its own DHCP request, the others for their configuration. */
  ran(mac: string, loader: LoaderKind): void {
    const attempt = this.#attempts.get(mac)
    if (attempt?.sent === loader) this.#attempts.set(mac, { ...attempt, ran: loader })
  }
}

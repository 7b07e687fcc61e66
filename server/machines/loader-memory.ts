import { keepNewest } from '../core/keep-newest.ts'
import type { LoaderKind } from '../core/loader/choice.ts'

/** Firmware that is refused an unsigned loader tells nobody: what we sent, and what then showed itself, is all there is to go by. */
interface Remembered {
  readonly sent: LoaderKind
  /** Of the request that was answered: a repeated one is the same attempt. */
  readonly xid: number
  /** The kind that was seen running. */
  readonly ran?: LoaderKind
  /** What the answered attempt was decided on. */
  readonly basis: LoaderHistory
}

export interface LoaderHistory {
  readonly starts?: LoaderKind
  readonly refuses?: LoaderKind
}

/**
 * Remembers, for each machine, which loader it was sent last and which it is known to have started. It is told of time by
 * nothing but requests, is forgotten with the process, and holds a bounded number of machines.
 */
export interface LoaderMemory {
  /** What is known when a machine asks; the same for a request that is repeated. */
  history(mac: string, xid: number): LoaderHistory
  /** What its last attempt was decided on: for the second half of the same conversation. */
  again(mac: string): LoaderHistory
  sent(mac: string, xid: number, kind: LoaderKind): void
  /** The loader itself spoke: iPXE by its own DHCP request, the others by asking for their configuration. */
  ran(mac: string, kind: LoaderKind): void
}

export function createLoaderMemory(mostMachines = 10_000): LoaderMemory {
  const machines = new Map<string, Remembered>()

  const keep = (mac: string, remembered: Remembered): void =>
    keepNewest(machines, mac, remembered, mostMachines)

  function history(mac: string, xid: number): LoaderHistory {
    const known = machines.get(mac)
    if (!known) return {}
    if (known.xid === xid) return known.basis
    if (known.ran !== undefined) return { starts: known.ran }
    // Sent and never seen: the others have a turn, so that two that both fail do not hide a third.
    return { refuses: known.sent }
  }

  return {
    history,
    again: (mac) => machines.get(mac)?.basis ?? {},
    sent(mac, xid, kind) {
      const ran = machines.get(mac)?.ran
      const basis = history(mac, xid)
      keep(mac, { sent: kind, xid, basis, ...(ran === kind && { ran }) })
    },
    ran(mac, kind) {
      const known = machines.get(mac)
      if (known?.sent === kind) keep(mac, { ...known, ran: kind })
    },
  }
}

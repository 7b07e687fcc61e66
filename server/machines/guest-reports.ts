import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type GuestState, newState } from '../core/guest/state.ts'
import type { EventSink } from '../events/bus.ts'
import type { GuestRecords } from './guest-records.ts'
import type { GuestStates } from './guest-states.ts'
import { RefusedReports } from './refused-reports.ts'
import { type ReceivedReport, whyNotBelieved } from './report-trust.ts'
import { reportToken, sameToken } from './token.ts'

/** How many installations after the recorded one a token is tried for. Each costs one HMAC. */
const mostLater = 16

interface GuestReportsParts {
  readonly states: Pick<GuestStates, 'apply'>
  readonly records: Pick<GuestRecords, 'beginDoubt'>
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** See `Store.secret`; undefined before the store is open. */
  readonly secret: () => Uint8Array | undefined
  readonly stateOf: (guest: string) => GuestState | undefined
  /** The token of the guest's present installation. */
  readonly tokenOf: (guest: string) => string | undefined
  /** The number of the guest's present installation. */
  readonly installNumber: (guest: string) => number
}

/** What installers report, and which reports are believed. */
export class GuestReports {
  readonly #parts: GuestReportsParts
  readonly #refusedReports = new RefusedReports()

  constructor(parts: GuestReportsParts) {
    this.#parts = parts
  }

  /**
   * Stores the report of a guest. A report with a token counts when the token is that of the present
   * installation, which the answer file has in `report_url`. Where a guest needs none, a report without a token counts
   * when no proxy stands between, and it comes from an address of the guest or from the machine that treeboot runs on.
   *
   * @throws Failure `forbidden` for every other report, `unavailable` when it cannot be stored now.
   */
  async report(guest: Guest, received: ReceivedReport): Promise<void> {
    const { report, client, detail } = received
    const install = this.#laterInstallation(guest.name, received.token)
    // A token of an installation that the store knows nothing of: it has forgotten more than this one.
    if (install !== undefined) await this.#parts.records.beginDoubt('old store')
    const known = {
      state: this.#parts.stateOf(guest.name) ?? newState,
      token: this.#parts.tokenOf(guest.name),
    }
    const why = install === undefined ? whyNotBelieved(guest, received, known) : undefined
    if (why !== undefined) {
      this.#refused(guest.name, received, why)
      throw new Failure('forbidden', why)
    }
    await this.#parts.states.apply(guest.name, {
      type: 'reported',
      report,
      client,
      retry: guest.settings.retry.value,
      ...defined({ detail, install }),
    })
    this.#parts.events({ type: 'report', guest: guest.name, client, state: report, ...defined({ detail }) })
  }

  #refused(guest: string, { client, report, token }: ReceivedReport, why: string): void {
    // A new installation is worth a new line: its operator looks for what goes wrong now.
    const reason = `${token === undefined ? 'address' : 'token'} ${this.#parts.installNumber(guest)}`
    const silent = this.#refusedReports.count(guest, reason, this.#parts.clock())
    if (silent === undefined) return
    const more = silent > 0 ? ` (and ${silent} more like it before)` : ''
    this.#parts.events({
      type: 'trouble',
      where: `report of guest ${guest}`,
      message: `${client} said ${report}, and was not believed: ${why}${more}`,
    })
  }

  /** The number of the later installation that a token belongs to; undefined for any other token. */
  #laterInstallation(guest: string, token: string | undefined): number | undefined {
    const secret = this.#parts.secret()
    if (token === undefined || !secret) return undefined
    const present = this.#parts.installNumber(guest)
    for (let later = present + 1; later <= present + mostLater; later++)
      if (sameToken(reportToken(secret, guest, later), token)) return later
    return undefined
  }
}

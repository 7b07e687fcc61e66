import { failureMessage } from '../core/failure.ts'
import type { EventSink } from './bus.ts'

/** What the parts of the server tell the operator, as events. */
export interface Notes {
  /** What happened at the start, as information beside the lines about the configuration. */
  note(message: string): void
  onTrouble(where: string, error: unknown): void
  /** What looks wrong in an answer file although it was rendered. */
  onWarnings(guest: { readonly name: string }, warnings: readonly string[]): void
}

export function notesOf(events: EventSink): Notes {
  return {
    note: (message) => events({ type: 'config', outcome: 'loaded', message }),
    onTrouble: (where, error) => events({ type: 'trouble', where, message: failureMessage(error) }),
    onWarnings(guest, warnings) {
      for (const message of warnings)
        events({ type: 'trouble', where: `answer file of ${guest.name}`, message })
    },
  }
}

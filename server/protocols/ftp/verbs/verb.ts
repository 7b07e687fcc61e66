import type { Session } from '../session.ts'

/** A command as the table knows it. */
export interface Verb {
  /** Who may use it: everyone, whoever is logged in, or administrators where there is an upload area. */
  readonly for: 'anyone' | 'readers' | 'administrators'
  run(session: Session, argument: string): void | Promise<void>
}

export function forAnyone(run: Verb['run']): Verb {
  return { for: 'anyone', run }
}

export function forReaders(run: Verb['run']): Verb {
  return { for: 'readers', run }
}

export function forAdministrators(run: Verb['run']): Verb {
  return { for: 'administrators', run }
}

import { Failure } from '../core/failure.ts'
import type { Kind } from './definitions.ts'

/** A definition that names another one. */
export interface DefinitionUser {
  readonly kind: Kind
  readonly name: string
  /** For people: `guests.d/web02.yaml:3`, or `config.yaml:21`. */
  readonly where: string
}

/** How many users a message names; `InUse.users` has them all. */
const mostNamed = 20

/** What may not go because others name it. */
export class InUse extends Failure {
  /** In the order of config.yaml, then those of files by their names. */
  readonly users: readonly DefinitionUser[]

  /** @param what Why it may not go, as the beginning of a sentence: `profile web is used by`. */
  constructor(what: string, users: readonly DefinitionUser[], remedy: string) {
    const details = users.map(({ kind, name, where }) => ({
      field: where,
      found: `${kind} ${name}`,
      expected: 'something else is named here',
    }))
    super('conflict', `${what} ${namesOf(users)}; ${remedy}`, { details })
    this.users = users
  }
}

function namesOf(users: readonly DefinitionUser[]): string {
  const shown = users.slice(0, mostNamed).map(({ kind, name, where }) => `${kind} ${name} (${where})`)
  return users.length > mostNamed
    ? `${shown.join(', ')} and ${users.length - mostNamed} more`
    : shown.join(', ')
}

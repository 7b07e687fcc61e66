import type { Caller } from '../core/access/access.ts'
import { legacyToken } from '../core/access/names.ts'
import type { SnapshotProblem } from '../core/problem.ts'

/** The token of the file `admin-token`, by which scripts of the first version upload. */
export class LegacyToken {
  readonly #isValid: (token: string) => boolean
  #usedFrom: string | undefined

  /** @param file Undefined where the file counts for nothing. */
  constructor(file: { isValid(token: string): boolean } | undefined) {
    this.#isValid = (token) => file?.isValid(token) ?? false
  }

  caller(token: string, from: string): Caller | undefined {
    if (!this.#isValid(token)) return undefined
    this.#usedFrom = from
    return { kind: 'token', ...legacyToken, role: 'operator', scopes: ['uploads'] }
  }

  /** That it was used since the start of the server. */
  problems(): readonly SnapshotProblem[] {
    if (this.#usedFrom === undefined) return []
    return [
      {
        severity: 'warning',
        where: 'admin-token',
        message: `${this.#usedFrom} used the token of the file admin-token, which a later version will refuse`,
        remedy:
          'make a token of an account, and use that: treeboot tokens add uploads --account NAME --role operator --scope uploads',
      },
    ]
  }
}

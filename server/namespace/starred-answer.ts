import { createHash } from 'node:crypto'
import { otherSecrets, otherText, otherVar } from '../core/access/other-secret.ts'
import { starDifferences } from '../core/access/star-differences.ts'
import { starredParts } from '../core/access/starred.ts'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import type { Guest, Sourced, VarValue } from '../core/guest/guest.ts'

/** What an answer file is made of that may hold secrets. */
interface SecretParts<Facts> {
  readonly guest: Guest
  readonly facts: Facts
}

interface WithToken {
  readonly token?: string
}

/** An answer file whose secrets are starred. */
export type StarredAnswerFile<Answer> = Answer & {
  /** SHA-256 of the true text: whether two are the same. It is not for others: a short secret could be guessed by it. */
  readonly digest: string
}

/** The same with other secrets: variables that say one, and the token of reports. */
function withOtherSecrets<Facts extends WithToken>(
  { guest, facts }: SecretParts<Facts>,
  which: number,
): SecretParts<Facts> {
  const vars = Object.entries(guest.settings.vars).map(([name, sourced]): [string, Sourced<VarValue>] => [
    name,
    { ...sourced, value: otherVar(name, sourced.value, which) },
  ])
  return {
    guest: { ...guest, settings: { ...guest.settings, vars: Object.fromEntries(vars) } },
    facts: facts.token === undefined ? facts : { ...facts, token: otherText(facts.token, which) },
  }
}

/**
 * An answer file as people may see it. It is rendered with the true secrets and with others, and what differs is starred:
 * whatever a template makes of a secret (a hash, base64, its first letter) differs, too. What stands in the template
 * itself is starred where its form says that it is a secret.
 *
 * @throws As `render` does; a message that says a secret is replaced.
 */
export async function starredAnswer<Facts extends WithToken, Answer extends { readonly text: string }>(
  parts: SecretParts<Facts>,
  render: (parts: SecretParts<Facts>) => Promise<Answer>,
): Promise<StarredAnswerFile<Answer>> {
  const all = [parts, ...Array.from({ length: otherSecrets }, (_, which) => withOtherSecrets(parts, which))]
  const [truth, ...others] = await Promise.allSettled(all.map(render))
  if (truth === undefined) throw new Failure('internal', 'nothing was rendered')
  if (truth.status === 'rejected') throw openFailure(truth.reason, others)
  const texts = others.flatMap((other) => (other.status === 'fulfilled' ? [other.value.text] : []))
  // A template that fails with another secret says by each of its lines that it did not.
  const known = texts.length === others.length ? texts : ['']
  const { text } = truth.value
  const digest = createHash('sha256').update(text).digest('hex')
  return { ...truth.value, text: starredParts(starDifferences(text, known)), digest }
}

/** A failure whose message is not made of a secret. */
function openFailure(error: unknown, others: readonly PromiseSettledResult<unknown>[]): unknown {
  const message = failureMessage(error)
  const isSame = others.every(
    (other) => other.status === 'rejected' && failureMessage(other.reason) === message,
  )
  if (isSame || failureKind(error) !== 'invalid-data') return error
  return new Failure('invalid-data', 'the template fails, and its message would show a secret')
}

import type { Sourced, VarValue } from '../guest/guest.ts'
import { isSecretName } from '../secret-words.ts'
import { starred } from './starred.ts'

const stars = '***'
/** Fewer characters stand in many words by chance, and keep nothing secret. */
const fewestCharacters = 3
/** A mapping in a variable is looked into so deep. */
const mostDeep = 20

/** What is secret of a guest: its variables, and the token of its reports. */
export interface GuestSecrets {
  readonly vars?: Readonly<Record<string, Sourced<VarValue>>>
  readonly token?: string
}

/**
 * A text that a machine logged, without the secrets of its guest: installers log kernel arguments, URLs and lines of their
 * answer file. What stands behind a word that says a secret is starred, too, whoever's it is.
 */
export function starLog(text: string, { vars = {}, token }: GuestSecrets): string {
  const secrets = Object.entries(vars).flatMap(([name, { value }]) => secretsIn(value, isSecretName(name), 0))
  const known = [...secrets, token ?? ''].filter((secret) => secret.length >= fewestCharacters)
  // The longest first: a secret may be a part of another one.
  const forms = [...new Set(known.flatMap(formsOf))].sort((a, b) => b.length - a.length)
  const open = forms.reduce((left, form) => left.replaceAll(form, stars), text)
  return String(starred(open))
}

function secretsIn(value: VarValue, isSecret: boolean, depth: number): string[] {
  if (typeof value === 'string' || typeof value === 'number') return isSecret ? [String(value)] : []
  if (typeof value !== 'object' || value === null || depth > mostDeep) return []
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, isSecret, depth + 1))
  return Object.entries(value).flatMap(([key, inner]) =>
    secretsIn(inner as VarValue, isSecret || isSecretName(key), depth + 1),
  )
}

/** A secret as it is, in a URL, in a text with backslashes, and with each line of several. */
function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.trim().length >= fewestCharacters)
  // Half of a surrogate pair is in no line that was read as UTF-8, and in no URL.
  const inUrl = /\p{Surrogate}/u.test(secret) ? secret : encodeURIComponent(secret)
  return [secret, inUrl, JSON.stringify(secret).slice(1, -1), ...lines]
}

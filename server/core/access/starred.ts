import { isSecret, isSecretName, replaceSecretParts, secretWordIn } from '../secret-words.ts'

const stars = '***'

/** As deep as a value is looked into. What lies deeper is starred as a whole. */
const mostDeep = 40

/**
 * A copy of a value with stars in place of its secrets, for the audit and other places that people read: the values
 * below keys that say a secret, all hashes of passwords, and in texts of several lines what follows such a word.
 * It rather stars too much.
 */
export function starred(value: unknown): unknown {
  return starredBelow(value, 0)
}

function starredBelow(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return starredText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= mostDeep) return stars
  if (Array.isArray(value)) return value.map((item) => starredBelow(item, depth + 1))
  const copy = Object.entries(value).map(([key, inner]) => [
    starredText(key),
    isSecretName(key) && !isFlag(inner) ? stars : starredBelow(inner, depth + 1),
  ])
  return Object.fromEntries(copy)
}

/** Nobody guesses a secret from `require-token: true`, and a reader wants to see it. */
function isFlag(value: unknown): boolean {
  return typeof value === 'boolean' || value === null || value === undefined
}

/** After the word of a YAML key whose value stands in the lines below, or nothing. */
const opensBlock = /^["']?\s*[:=]?\s*(?:[|>][-+\d]*)?\s*$/

function starredText(text: string): string {
  const lines = starredParts(text).split('\n')
  let below: number | undefined
  return lines
    .map((line) => {
      const indent = line.search(/\S/)
      // The lines of a block that belongs to a secret key are deeper than the key, or items beside it.
      if (below !== undefined && (indent < 0 || indent > below || (indent === below && line[indent] === '-')))
        return indent < 0 ? line : `${line.slice(0, indent)}${stars}`
      const word = secretWordIn(line)
      below = word && indent
      return word && !opensBlock.test(line.slice(word.end)) ? `${line.slice(0, word.end)} ${stars}` : line
    })
    .join('\n')
}

/** A text with stars in place of what its form alone gives away: hashes, tokens, private keys, passwords in URLs. */
export function starredParts(text: string): string {
  return replaceSecretParts(text, () => stars)
}

/** A kernel argument with stars in place of a value that is a secret: `rootpw=***`. */
export function starredArg<Arg extends { readonly key: string; readonly value?: string }>(arg: Arg): Arg {
  const { key, value } = arg
  if (value === undefined) return isSecret('', key) ? { ...arg, key: starredParts(key) } : arg
  if (isSecretName(key)) return { ...arg, value: stars }
  return isSecret(key, value) ? { ...arg, value: starredParts(value) } : arg
}

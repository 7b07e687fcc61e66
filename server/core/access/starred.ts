import { isSecretName, secretWordIn } from '../secret-words.ts'

const stars = '***'

/** As deep as a value is looked into. What lies deeper is starred as a whole. */
const mostDeep = 40

/**
 * Password hashes and secrets that their form gives away wherever they stand: crypt(3) and PHC strings, LDAP's `{SSHA}`,
 * GRUB's PBKDF2, tokens of ours, a password in a URL, and private keys.
 */
const secretForms = [
  /\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|scrypt|argon2(?:id|i|d)|pbkdf2[\w-]*)\$[^\s"']+/g,
  /\{(?:S?MD5|S?SHA\d*|CRYPT|PBKDF2[\w-]*)\}[^\s"']+/gi,
  /grub\.pbkdf2\.[^\s"']+/gi,
  /\btreeboot_[\w-]{20,}/g,
  /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g,
  /-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g,
]

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
  const plain = secretForms.reduce((left, form) => left.replace(form, stars), text)
  const lines = plain.split('\n')
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

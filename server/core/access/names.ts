import { Failure } from '../failure.ts'

/** Names of accounts also fit what an identity provider calls its users: `anna@example.org`. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/
const nameText =
  'at most 64 letters, digits, dots, dashes, underscores and @, with a letter or digit at the beginning'

/** The name of the token that stands for the file `admin-token`. */
export const legacyToken = { account: 'admin', token: 'legacy' } as const

export function isAccountName(name: string): boolean {
  return namePattern.test(name)
}

/** @throws Failure `bad-request` */
export function requireAccountName(name: string): void {
  if (isAccountName(name)) return
  throw wrongName(name, `${shown(name)} cannot be the name of an account; expected ${nameText}`)
}

/** @throws Failure `bad-request` */
export function requireTokenName(name: string): void {
  if (!isAccountName(name))
    throw wrongName(name, `${shown(name)} cannot be the name of a token; expected ${nameText}`)
  if (name === legacyToken.token)
    throw new Failure('bad-request', `${name} is the token of the file admin-token; choose another name`, {
      details: [{ field: 'name', found: name, expected: 'another name' }],
    })
}

function wrongName(name: string, message: string): Failure {
  return new Failure('bad-request', message, {
    details: [{ field: 'name', found: name.slice(0, 80), expected: nameText }],
  })
}

function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}

/** Fewer characters than this are guessed. */
const leastCharacters = 12
/** Longer ones only cost time. */
const mostBytes = 1024

/**
 * A password in the one form that is hashed. Keyboards and browsers write `é` as one character or as two: NFC makes
 * them one (RFC 8265 section 4.2.2).
 *
 * @throws Failure `bad-request` for a password that is too short or too long.
 */
export function normalPassword(typed: string): string {
  const password = normalized(typed)
  if (password === undefined)
    throw wrongPassword(
      `a password has at most ${mostBytes} bytes; this one is longer`,
      `at most ${mostBytes} bytes`,
    )
  const length = [...password].length
  if (length < leastCharacters)
    throw wrongPassword(
      `a password needs at least ${leastCharacters} characters, found ${length}; a few words in a row are easy to remember`,
      `at least ${leastCharacters} characters`,
    )
  return password
}

function wrongPassword(message: string, expected: string): Failure {
  return new Failure('bad-request', message, { details: [{ field: 'password', expected }] })
}

/** The same for a password that is only compared: undefined when no account can have it. */
export function normalized(typed: string): string | undefined {
  // Normalising is only tried for what can become short enough: NFC makes no text shorter than a fourth.
  if (typed.length > 4 * mostBytes) return undefined
  const password = typed.normalize('NFC')
  return new TextEncoder().encode(password).length <= mostBytes ? password : undefined
}

import type { VarValue } from '../guest/guest.ts'
import { isSecretName, replaceSecretParts } from '../secret-words.ts'

/**
 * Other secrets in the place of true ones. What a text shows with both is not the secret, nor made of it. So an other
 * secret has the same length and the same kinds of characters, and not one character in its place: templates that ask for
 * its form go the same way.
 */

/** How many others there are of each secret. All differ from each other as they do from the true one. */
export const otherSecrets = 2

/** A variable with its secrets replaced. True, false and null are no secrets: they are what a template asks for. */
export function otherVar(name: string, value: VarValue, which: number): VarValue {
  if (isSecretName(name)) return otherValue(value, which)
  if (typeof value === 'string') return replaceSecretParts(value, (secret) => otherText(secret, which))
  if (Array.isArray(value)) return value.map((item) => otherVar(name, item, which))
  if (typeof value !== 'object' || value === null) return value
  return mapped(value as Mapping, (inner, key) => otherVar(key, inner, which))
}

type Mapping = { readonly [key: string]: VarValue }

function otherValue(value: VarValue, which: number): VarValue {
  if (typeof value === 'string') return otherText(value, which)
  if (typeof value === 'number') return otherNumber(value, which)
  if (Array.isArray(value)) return value.map((item) => otherValue(item, which))
  if (typeof value !== 'object' || value === null) return value
  return mapped(value as Mapping, (inner) => otherValue(inner, which))
}

function mapped(value: Mapping, change: (inner: VarValue, key: string) => VarValue): VarValue {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner, key)]))
}

/** @param which From 0 to `otherSecrets` - 1. */
export function otherText(secret: string, which: number): string {
  // The id of a hash says how it was made, and templates ask for it.
  const kept = /^\$\w+\$(?:rounds=\d+\$)?/.exec(secret)?.[0] ?? ''
  let seed = seedOf(secret)
  const other = [...secret.slice(kept.length)].map((character) => {
    seed = next(seed)
    return otherCharacter(character, seed, which)
  })
  return kept + other.join('')
}

function otherNumber(value: number, which: number): number {
  let seed = seedOf(String(value))
  const digits = String(value).replace(/\d/g, (digit, at: number) => {
    seed = next(seed)
    // No zero comes to the front: it would make the number shorter.
    return at === 0 || digit !== '0'
      ? otherIn('123456789', digit, seed, which)
      : otherIn('0123456789', digit, seed, which)
  })
  const other = Number(digits)
  return Number.isFinite(other) ? other : value + which + 1
}

/** Each character becomes another one of its group: hexadecimal stays hexadecimal, and no letter becomes its capital. */
const groups = [
  '0123456789',
  'abcdef',
  'ghijklmnopqrstuvwxyz',
  'ABCDEF',
  'GHIJKLMNOPQRSTUVWXYZ',
  // Unreserved in URLs (RFC 3986 section 2.3): a URL with the other secret is as long.
  '-._~',
  '!#%+^@*/:;,?',
  '\'"`\\$&<>|(){}[]=',
] as const

function otherCharacter(character: string, seed: number, which: number): string {
  if (/\s/.test(character)) return character
  const group = groups.find((each) => each.includes(character))
  if (group !== undefined) return otherIn(group, character, seed, which)
  // As many UTF-16 units as the true one.
  return otherIn(character.length === 1 ? 'àáâãäåæçèéêë' : '😀😁😂😃😄😅😆', character, seed, which)
}

function otherIn(group: string, character: string, seed: number, which: number): string {
  const others = [...group].filter((each) => each !== character)
  return others[(seed + which) % others.length] ?? character
}

/** FNV-1a. It keeps nothing secret: nobody sees what it makes. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash
}

function next(seed: number): number {
  return (Math.imul(seed, 1664525) + 1013904223) >>> 4
}

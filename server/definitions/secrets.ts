import { isMapping, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'

/** Names of variables and kernel arguments that say a secret: `rootpw`, `user_password_hash`, `wpa_key`, `api-token`. */
const secretName = /pass(?:word|wd|phrase)|hash|secret|token|pw(?![a-z])|keys?(?![a-z])/i

/** Hashes of crypt(3), with which every shipped template sets a password. */
const cryptForm = /^\$(?:1|2[abxy]?|5|6|7|y|gy|sha1)\$/

/** What a definition is without its secrets, and how many they were. */
export interface WithoutSecrets {
  readonly data: YamlMapping
  readonly left: number
}

/**
 * Leaves out the variables and kernel arguments whose name or value says that they are a secret. A public key goes with
 * them: its name does not tell it from a private one.
 */
export function withoutSecrets(data: YamlMapping): WithoutSecrets {
  return replaced(data, () => undefined)
}

/** The same for variables alone, also for those below others. */
export function publicVars(vars: YamlMapping): WithoutSecrets {
  return replacedVars(vars, () => undefined)
}

/** What stands in the place of a secret that is not shown. */
export const stars = '*****'

/** A definition whose secrets are starred: `args` of the form `key=*****`, variables as a whole. */
export function starredDefinition(data: YamlMapping): YamlMapping {
  return replaced(data, (name) => (name === undefined ? stars : `${name}=${stars}`)).data
}

/**
 * A wanted definition in which stars stand for what is there now, as somebody sends it back who was shown it so.
 *
 * @throws Failure `bad-request` where nothing is there now.
 */
export function withPresentSecrets(wanted: YamlMapping, present: YamlMapping): YamlMapping {
  return restored(wanted, present, '') as YamlMapping
}

function restored(wanted: YamlValue, present: YamlValue | undefined, path: string): YamlValue {
  if (wanted === stars) {
    if (present !== undefined) return present
    const expected = 'a value: nothing is there yet for which the stars could stand'
    throw new Failure('bad-request', `${path}=${stars}: expected ${expected}`, {
      details: [{ field: path, found: stars, expected }],
    })
  }
  if (Array.isArray(wanted)) {
    const before = [present ?? []].flat() as YamlValue[]
    return wanted.map((item, index) => restored(item, presentItem(item, before, index), `${path}.${index}`))
  }
  if (typeof wanted === 'string') return restoredArg(wanted, present)
  if (!isMapping(wanted)) return wanted
  const below = isMapping(present) ? present : {}
  const join = path === '' ? '' : `${path}.`
  return Object.fromEntries(
    Object.entries(wanted).map(([key, value]) => [key, restored(value, below[key], `${join}${key}`)]),
  )
}

/** The item that a starred item stands for: the argument of the same name, or what has the same place. */
function presentItem(item: YamlValue, before: readonly YamlValue[], index: number): YamlValue | undefined {
  const start =
    typeof item === 'string' && item.endsWith(`=${stars}`) ? item.slice(0, -stars.length) : undefined
  if (start === undefined) return before[index]
  return before.find((each) => typeof each === 'string' && each.startsWith(start))
}

function restoredArg(wanted: string, present: YamlValue | undefined): string {
  const isStarred = wanted.endsWith(`=${stars}`)
  const start = wanted.slice(0, -stars.length)
  return isStarred && typeof present === 'string' && present.startsWith(start) ? present : wanted
}

/**
 * What takes the place of a secret; undefined: nothing. `name` is that of a kernel argument, and undefined for a
 * variable.
 */
type Replacement = (name?: string) => string | undefined

function replaced(data: YamlMapping, replacement: Replacement): WithoutSecrets {
  const { args, vars, ...others } = data
  const kept: YamlMapping = { ...others }
  let left = 0
  if (args !== undefined) {
    const all = Array.isArray(args) ? args : [args]
    const shown = all.flatMap((arg): YamlValue[] => {
      const [name, value] = nameAndValue(String(arg))
      if (!isSecret(name, value)) return [arg]
      left += 1
      const instead = replacement(name)
      return instead === undefined ? [] : [instead]
    })
    if (shown.length > 0) kept.args = Array.isArray(args) ? shown : (shown[0] ?? args)
  }
  if (isMapping(vars)) {
    const own = replacedVars(vars, replacement)
    left += own.left
    if (Object.keys(own.data).length > 0) kept.vars = own.data
  }
  return { data: inOrderOf(data, kept), left }
}

function replacedVars(vars: YamlMapping, replacement: Replacement): WithoutSecrets {
  const data: YamlMapping = Object.create(null)
  let left = 0
  for (const [name, value] of Object.entries(vars)) {
    const found = replacedValue(name, value, replacement)
    left += found.left
    if (found.value !== undefined) data[name] = found.value
  }
  return { data, left }
}

interface Replaced {
  readonly value?: YamlValue
  readonly left: number
}

function replacedValue(name: string, value: YamlValue, replacement: Replacement): Replaced {
  const secret = (): Replaced => defined({ value: replacement(), left: 1 })
  if (secretName.test(name)) return secret()
  if (typeof value === 'string') return isSecret(name, value) ? secret() : { value, left: 0 }
  if (Array.isArray(value)) {
    const items = value.map((item) => replacedValue(name, item, replacement))
    const left = items.reduce((sum, item) => sum + item.left, 0)
    return { value: items.flatMap((item) => (item.value === undefined ? [] : [item.value])), left }
  }
  if (!isMapping(value)) return { value, left: 0 }
  const { data, left } = replacedVars(value, replacement)
  return left > 0 && Object.keys(data).length === 0 ? { left } : { value: data, left }
}

function isSecret(name: string, value: string): boolean {
  return secretName.test(name) || cryptForm.test(value)
}

function nameAndValue(arg: string): [string, string] {
  const [, name = arg, value = ''] = /^([^=]*)=(.*)$/s.exec(arg) ?? []
  return [name, value.replaceAll('"', '')]
}

function inOrderOf(first: YamlMapping, kept: YamlMapping): YamlMapping {
  return Object.fromEntries(
    Object.keys(first).flatMap((key) => {
      const value = kept[key]
      return value === undefined ? [] : [[key, value]]
    }),
  )
}

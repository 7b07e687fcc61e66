import { isMapping, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { starred } from '../core/access/starred.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { isSecret, isSecretName } from '../core/secret-words.ts'

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
const stars = '***'

/** A definition whose secrets are starred: in variables, kernel arguments (`key=***`), and URLs with a password. */
export function starredDefinition(data: YamlMapping): YamlMapping {
  const known = replaced(data, (name) => (name === undefined ? stars : `${name}=${stars}`)).data
  // The name of a variable is the operator's; the keys of a definition are ours, and say no secret.
  return Object.fromEntries(
    Object.entries(known).map(([key, value]) => [
      key,
      key === 'vars' ? value : (starred(value) as YamlValue),
    ]),
  )
}

/**
 * A wanted definition in which stars stand for what is there now, as somebody sends it back who was shown it so.
 *
 * @throws Failure `bad-request` where stars stand for nothing that is there now.
 */
export function withPresentSecrets(wanted: YamlMapping, present: YamlMapping): YamlMapping {
  return restored(wanted, { shown: starredDefinition(present), present }, '') as YamlMapping
}

export function hasStars(value: YamlValue): boolean {
  if (typeof value === 'string') return value.includes(stars)
  if (Array.isArray(value)) return value.some(hasStars)
  return isMapping(value) && Object.values(value).some(hasStars)
}

/** A value that is there, and how it was shown. */
interface Shown {
  readonly shown: YamlValue | undefined
  readonly present: YamlValue | undefined
}

function restored(wanted: YamlValue, { shown, present }: Shown, path: string): YamlValue {
  if (Array.isArray(wanted)) {
    const [before, now] = [[shown ?? []].flat(), [present ?? []].flat()]
    return wanted.map((item, index) => {
      // An argument that has moved is still the same.
      const same = before.indexOf(item)
      const place = same < 0 ? index : same
      return restored(item, { shown: before[place], present: now[place] }, `${path}.${index}`)
    })
  }
  if (isMapping(wanted)) {
    const [before, now] = [isMapping(shown) ? shown : {}, isMapping(present) ? present : {}]
    const start = path === '' ? '' : `${path}.`
    return Object.fromEntries(
      Object.entries(wanted).map(([key, value]) => [
        key,
        restored(value, { shown: before[key], present: now[key] }, `${start}${key}`),
      ]),
    )
  }
  if (!hasStars(wanted)) return wanted
  if (shown === wanted && present !== undefined) return present
  const expected = 'a value: the stars stand for nothing that is there now'
  // Beside the stars may stand a part of a secret.
  throw new Failure('bad-request', `${path}: expected ${expected}`, {
    details: [{ field: path, expected }],
  })
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
  if (isSecretName(name)) return secret()
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

import { isMapping, type YamlMapping, type YamlValue } from '../config/yaml.ts'

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
  const { args, vars, ...others } = data
  const kept: YamlMapping = { ...others }
  let left = 0
  if (args !== undefined) {
    const all = Array.isArray(args) ? args : [args]
    const open = all.filter((arg) => !isSecret(...nameAndValue(String(arg))))
    left += all.length - open.length
    if (open.length > 0) kept.args = open.length === all.length ? args : open
  }
  if (isMapping(vars)) {
    const own = publicVars(vars)
    left += own.left
    if (Object.keys(own.data).length > 0) kept.vars = own.data
  }
  return { data: inOrderOf(data, kept), left }
}

/** The same for variables alone, also for those below others. */
export function publicVars(vars: YamlMapping): WithoutSecrets {
  const data: YamlMapping = Object.create(null)
  let left = 0
  for (const [name, value] of Object.entries(vars)) {
    const found = publicValue(name, value)
    left += found.left
    if (found.value !== undefined) data[name] = found.value
  }
  return { data, left }
}

function publicValue(name: string, value: YamlValue): { readonly value?: YamlValue; readonly left: number } {
  if (secretName.test(name)) return { left: 1 }
  if (typeof value === 'string') return isSecret(name, value) ? { left: 1 } : { value, left: 0 }
  if (Array.isArray(value)) {
    const items = value.map((item) => publicValue(name, item))
    const left = items.reduce((sum, item) => sum + item.left, 0)
    return { value: items.flatMap((item) => (item.value === undefined ? [] : [item.value])), left }
  }
  if (!isMapping(value)) return { value, left: 0 }
  const { data, left } = publicVars(value)
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

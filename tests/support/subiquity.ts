import { parse } from 'yaml'

/**
 * The rules by which Subiquity 24.04 judges an autoinstall, as far as our template writes it: its
 * `autoinstall-schema.json` and "Autoinstall configuration reference manual". Subiquity is a snap that runs only
 * on its own medium, so it cannot judge here.
 */
type Rule = (value: unknown) => boolean

const isText: Rule = (value) => typeof value === 'string'
const isFlag: Rule = (value) => typeof value === 'boolean'
const listOf =
  (each: Rule): Rule =>
  (value) =>
    Array.isArray(value) && value.every(each)
const oneOf =
  (...values: readonly unknown[]): Rule =>
  (value) =>
    values.includes(value)
/** A mapping with some of these keys, and no others. */
const mapping =
  (keys: Readonly<Record<string, Rule>>): Rule =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([key, each]) => Object.hasOwn(keys, key) && keys[key]?.(each) === true)
const command: Rule = (value) => isText(value) || listOf(isText)(value)

const rules: Readonly<Record<string, Rule>> = {
  version: oneOf(1),
  locale: isText,
  keyboard: mapping({ layout: isText, variant: isText, toggle: isText }),
  timezone: isText,
  apt: mapping({ primary: listOf(mapping({ arches: listOf(isText), uri: isText })) }),
  storage: mapping({
    layout: mapping({ name: oneOf('lvm', 'direct', 'zfs'), match: mapping({ path: isText }) }),
  }),
  ssh: mapping({ 'install-server': isFlag, 'allow-pw': isFlag, 'authorized-keys': listOf(isText) }),
  packages: listOf(isText),
  // netplan judges it.
  network: (value) => typeof value === 'object' && value !== null && 'version' in value,
  // cloud-init judges it.
  'user-data': (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'late-commands': listOf(command),
  'error-commands': listOf(command),
  shutdown: oneOf('reboot', 'poweroff'),
}

/** What Subiquity would refuse in a file of user-data. */
export function autoinstallMistakes(text: string): readonly string[] {
  const mistakes: string[] = []
  if (!text.startsWith('#cloud-config\n')) mistakes.push('the first line is not #cloud-config')
  const whole: unknown = parse(text)
  const install = typeof whole === 'object' && whole && 'autoinstall' in whole ? whole.autoinstall : undefined
  if (typeof install !== 'object' || install === null) return [...mistakes, 'there is no autoinstall']
  for (const [key, value] of Object.entries(install)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (!rule) mistakes.push(`${key} is not a key of autoinstall`)
    else if (!rule(value)) mistakes.push(`${key} cannot be ${JSON.stringify(value)}`)
  }
  // Without `identity` there has to be `user-data`, else the installer asks for a user.
  for (const key of ['version', 'user-data']) if (!(key in install)) mistakes.push(`${key} is missing`)
  return mistakes
}

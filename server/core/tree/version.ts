/**
 * Versions as distributions write them. `9.10` is newer than `9.9`, `15 SP4` is `15.4`, `21_Alpha` comes before `21`,
 * and what never ends (rawhide, Tumbleweed, sid) is newer than any number.
 */
export interface Version {
  /** As written, lower case, without blanks around it. */
  readonly text: string
  /** 0 for numbered releases; above it what rolls on, the wilder the higher. */
  readonly rolling: number
  readonly numbers: readonly string[]
  /** 3 for a finished release; below it alpha, beta, release candidate. */
  readonly stage: number
  readonly stageNumber: string
}

const rollingNames: Readonly<Record<string, number>> = {
  stable: 1,
  eln: 2,
  testing: 3,
  tumbleweed: 4,
  slowroll: 3,
  factory: 5,
  rawhide: 5,
  development: 5,
  devel: 5,
  sid: 5,
  unstable: 5,
  cauldron: 5,
  cooker: 5,
  edge: 5,
  rolling: 5,
  sisyphus: 5,
}

const stages: Readonly<Record<string, number>> = {
  nightly: 0,
  snapshot: 0,
  dev: 0,
  pre: 0,
  test: 0,
  alpha: 0,
  beta: 1,
  rc: 2,
  tc: 2,
  candidate: 2,
}

const codenames: Readonly<Record<string, string>> = {
  squeeze: '6',
  wheezy: '7',
  jessie: '8',
  stretch: '9',
  buster: '10',
  bullseye: '11',
  bookworm: '12',
  trixie: '13',
  forky: '14',
  duke: '15',
  precise: '12.04',
  trusty: '14.04',
  xenial: '16.04',
  bionic: '18.04',
  focal: '20.04',
  jammy: '22.04',
  noble: '24.04',
  questing: '25.10',
  resolute: '26.04',
}

/** The number behind a Debian or Ubuntu code name: `bookworm` is `12`. */
export function versionOfCodename(name: string): string | undefined {
  const key = name.trim().toLowerCase()
  return Object.hasOwn(codenames, key) ? codenames[key] : undefined
}

/** The code name of a Debian (`12`, `12.5.0`) or Ubuntu (`22.04.3`) release. */
export function codenameOf(distro: 'debian' | 'ubuntu', version: string): string | undefined {
  const [major = '', minor = ''] = version.split('.')
  const wanted = distro === 'debian' ? major : `${major}.${minor}`
  return Object.keys(codenames).find((name) => codenames[name] === wanted)
}

export function parseVersion(text: string): Version {
  let rolling = 0
  let stage = 3
  let stageNumber = ''
  const numbers: string[] = []
  for (const token of text.toLowerCase().match(/[0-9]+|[a-z]+/g) ?? []) {
    if (/^[0-9]/.test(token)) {
      const digits = token.replace(/^0+(?=.)/, '')
      if (stage < 3 && stageNumber === '') stageNumber = digits
      else numbers.push(digits)
    } else if (Object.hasOwn(rollingNames, token)) rolling = rollingNames[token] ?? 0
    else if (Object.hasOwn(stages, token)) stage = stages[token] ?? 3
    else if (Object.hasOwn(codenames, token) && numbers.length === 0)
      numbers.push(...(codenames[token] ?? '').split('.').map((part) => part.replace(/^0+(?=.)/, '')))
    // Other words (SP, LTS, GA, stream, code names after the number) separate numbers and say nothing about order.
  }
  return { text: text.trim().toLowerCase(), rolling, numbers, stage, stageNumber }
}

function compareDigits(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

/** Below 0 when `a` is older than `b`, above 0 when newer, 0 when neither. Fit for Array.sort: oldest first. */
export function compareVersions(a: string, b: string): number {
  return a === b ? 0 : compareParsed(parseVersion(a), parseVersion(b))
}

/** The same for versions taken apart once, where many are compared. */
export function compareParsed(a: Version, b: Version): number {
  if (a.rolling !== b.rolling) return a.rolling - b.rolling
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const order = compareDigits(a.numbers[i] ?? '0', b.numbers[i] ?? '0')
    if (order !== 0) return order
  }
  return a.stage - b.stage || compareDigits(a.stageNumber, b.stageNumber)
}

/**
 * Whether a version is meant by what an operator wrote: `9` means every 9.x, `15.4` means `15 SP4`, `bookworm` means
 * every 12.x, `latest` and nothing mean all. Returned as a test, so that one wish is taken apart once for many trees.
 */
export function versionMatcher(wanted: string): (version: Version) => boolean {
  const wish = parseVersion(wanted)
  if (['', 'latest', 'newest', 'any', '*'].includes(wish.text)) return () => true
  if (wish.rolling === 0 && wish.numbers.length === 0) return (version) => version.text === wish.text
  return (version) => {
    if (version.text === wish.text) return true
    if (version.rolling !== wish.rolling || version.numbers.length < wish.numbers.length) return false
    if (wish.stage < 3) {
      if (wish.stage !== version.stage) return false
      if (wish.stageNumber !== '' && wish.stageNumber !== version.stageNumber) return false
    }
    return wish.numbers.every((number, i) => version.numbers[i] === number)
  }
}

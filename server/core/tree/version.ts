import { type Distro, distros, recordOf } from '../distro/families.ts'

/**
 * Versions as distributions write them. `9.10` is newer than `9.9`, `15 SP4` is `15.4`, `21_Alpha` comes
 * before `21`, and a rolling release (rawhide, Tumbleweed, sid) is newer than any number.
 */
export interface Version {
  /** The version as written, in lower case, without blanks around it. */
  readonly text: string
  /** 0 for a numbered release; for a rolling one its rank, see `DistroRecord.rolling`. */
  readonly rolling: number
  /** Digits without leading zeros. As text, a number of any length compares exactly. */
  readonly numbers: readonly string[]
  /** 3 for a finished release, 2 for a release candidate, 1 for a beta, 0 for earlier stages (`stages`). */
  readonly stage: number
  /** The number of the stage: `2` of `21 Beta 2`; '' without one. */
  readonly stageNumber: string
}

const records = distros.map(recordOf)

const rollingNames: ReadonlyMap<string, number> = new Map(
  records.flatMap(({ rolling }) => Object.entries(rolling ?? {})),
)

/** Code name -> version. */
const codenames: ReadonlyMap<string, string> = new Map(
  records.flatMap((record) => Object.entries(record.codenames ?? {})),
)

/** Stages before the finished release, the earliest lowest. */
const stages: ReadonlyMap<string, number> = new Map([
  ...['nightly', 'snapshot', 'dev', 'pre', 'test', 'alpha'].map((word): [string, number] => [word, 0]),
  ['beta', 1],
  ...['rc', 'tc', 'candidate'].map((word): [string, number] => [word, 2]),
])
const finished = 3
/** The rolling rank of Debian's `stable` is 1; what is under development has a higher one. */
const firstUnreleased = 2

/** The version with a code name: `12` for `bookworm`. */
export function versionOfCodename(name: string): string | undefined {
  return codenames.get(name.trim().toLowerCase())
}

/** The code name of a release: of Debian `12` or `12.5.0`, of Ubuntu `22.04.3`. */
export function codenameOf(distro: Distro, version: string): string | undefined {
  const names = Object.entries(recordOf(distro).codenames ?? {})
  return names.find(([, number]) => version === number || version.startsWith(`${number}.`))?.[0]
}

export function parseVersion(text: string): Version {
  // Most are plain numbers, and they are parsed often.
  if (/^[1-9]\d*$/.test(text)) return { text, rolling: 0, numbers: [text], stage: finished, stageNumber: '' }
  const version: VersionParts = { rolling: 0, numbers: [], stage: finished, stageNumber: '' }
  for (const token of text.toLowerCase().match(/[0-9]+|[a-z]+/g) ?? [])
    if (/^[0-9]/.test(token)) takeNumber(version, withoutZeros(token))
    else takeWord(version, token)
  return { text: text.trim().toLowerCase(), ...version }
}

interface VersionParts {
  rolling: number
  readonly numbers: string[]
  stage: number
  stageNumber: string
}

function takeNumber(version: VersionParts, digits: string): void {
  if (version.stage < finished && version.stageNumber === '') version.stageNumber = digits
  else version.numbers.push(digits)
}

/** Words that are not listed (SP, LTS, GA, stream, a code name after the number) only separate numbers. */
function takeWord(version: VersionParts, word: string): void {
  const rolling = rollingNames.get(word)
  const stage = stages.get(word)
  const codename = version.numbers.length === 0 ? codenames.get(word) : undefined
  if (rolling !== undefined) version.rolling = rolling
  else if (stage !== undefined) version.stage = stage
  else if (codename !== undefined) version.numbers.push(...codename.split('.').map(withoutZeros))
}

/** False for a beta and the like, and for a rolling release under development. Debian's `stable` is finished. */
export function isReleased({ rolling, stage }: Version): boolean {
  return rolling < firstUnreleased && stage === finished
}

function withoutZeros(digits: string): string {
  return digits.replace(/^0+(?=.)/, '')
}

/** The rank of the rolling release that the name of a distribution means: `opensusetumbleweed`; 0 for none. */
export function rollingInName(distro: Distro, name: string): number {
  const squeezed = name.toLowerCase().replace(/[\s_-]+/g, '')
  const names = Object.entries(recordOf(distro).rolling ?? {})
  return names.find(([rolling]) => squeezed.endsWith(rolling))?.[1] ?? 0
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function compareDigits(a: string, b: string): number {
  return a.length - b.length || compareText(a, b)
}

/**
 * Below 0 when `a` is older than `b`, above 0 when newer, 0 when neither. Fit for Array.sort: oldest first.
 */
export function compareVersions(a: string, b: string): number {
  return a === b ? 0 : compareParsed(parseVersion(a), parseVersion(b))
}

/** Like `compareVersions`, for parsed versions: faster where many are compared. */
export function compareParsed(a: Version, b: Version): number {
  if (a.rolling !== b.rolling) return a.rolling - b.rolling
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const order = compareDigits(a.numbers[i] ?? '0', b.numbers[i] ?? '0')
    if (order !== 0) return order
  }
  return a.stage - b.stage || compareDigits(a.stageNumber, b.stageNumber)
}

/**
 * Makes the test whether a version is meant by an operator's text: `9` means every 9.x with its betas, `15.4`
 * means `15 SP4`, `bookworm` means every 12.x; `latest`, `newest`, `any`, `*` and an empty text mean all. The
 * text is parsed once for many trees.
 */
export function versionMatcher(wanted: string): (version: Version) => boolean {
  const wish = parseVersion(wanted)
  if (['', 'latest', 'newest', 'any', '*'].includes(wish.text)) return () => true
  if (wish.rolling === 0 && wish.numbers.length === 0) return (version) => version.text === wish.text
  return (version) => {
    if (version.text === wish.text) return true
    if (version.rolling !== wish.rolling || version.numbers.length < wish.numbers.length) return false
    if (wish.stage < finished) {
      if (wish.stage !== version.stage) return false
      if (wish.stageNumber !== '' && wish.stageNumber !== version.stageNumber) return false
    }
    return wish.numbers.every((number, i) => version.numbers[i] === number)
  }
}

import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Guest, Profile } from '../../core/guest/guest.ts'
import type { AddedDefinitions, Definitions } from '../definitions.ts'
import { formatOf, type ImportFormatName, importFormats } from './formats.ts'
import { type ImportStep, planImport } from './plan-import.ts'

/** What a person wants of a file that names machines. */
export interface ImportWanted {
  readonly text: string
  /** Default: as it looks. */
  readonly format?: ImportFormatName
  /** The profile of all imported guests, in the place of what the file says. */
  readonly profile?: string
  /** Make what is right. Default: nothing is made when one entry is wrong. */
  readonly skipFaulty?: boolean
  readonly dryRun?: boolean
}

export interface ImportPlace {
  readonly definitions: Pick<Definitions, 'list' | 'addAll'>
  readonly guests: readonly Guest[]
  readonly profiles: ReadonlyMap<string, Profile>
  /** Asked before anything is written, with the names of what will be made: why nothing is to be made. */
  readonly whyNot?: (names: readonly string[]) => Promise<string | undefined>
  /** Called before the guests exist, so that no network boot can install one in between. */
  readonly before: (names: readonly string[]) => Promise<void>
}

export interface ImportResult {
  readonly format: ImportFormatName
  readonly changed: boolean
  /** Why nothing was made. */
  readonly why: string | null
  /** Each entry of the file, in its order. */
  readonly entries: readonly EntryResult[]
}

export interface EntryResult {
  readonly line: number
  readonly result: EntryOutcome
  readonly name: string | null
  /** Why it is wrong or left out, or what of it was left out. */
  readonly why: string | null
}

export const entryOutcomes = ['added', 'not added', 'unchanged', 'skipped', 'faulty'] as const
export type EntryOutcome = (typeof entryOutcomes)[number]

/**
 * Makes guests of the machines that a file names. A guest of the same name stays as it is.
 *
 * @throws Failure `invalid-data` for a file that is none of the formats, `not-found` for a profile that does not exist.
 */
export async function importGuests(wanted: ImportWanted, place: ImportPlace): Promise<ImportResult> {
  const { text, profile } = wanted
  if (profile !== undefined && !place.profiles.has(profile))
    throw new Failure('not-found', `there is no profile ${profile}; "treeboot profiles" lists them`)
  const format = wanted.format ?? formatOf(text)
  const { isOwn, parse } = importFormats[format]
  const written = new Map((await place.definitions.list('guest')).map(({ name, data }) => [name, data]))
  const { guests } = place
  const profiles = new Set(place.profiles.keys())
  const steps = planImport(parse(text), { guests, profiles, written, isOwn, ...defined({ profile }) })
  const added = await addGuests(steps, wanted, place)
  const entries = steps.map((step) => resultOf(step, added))
  const changed = entries.some(({ result }) => result === 'added')
  return { format, changed, why: added.whyNone ?? null, entries }
}

/** What became of the guests that were to be made. */
interface Added extends AddedDefinitions {
  /** Why none was made. */
  readonly whyNone?: string
}

async function addGuests(
  steps: readonly ImportStep[],
  { dryRun, skipFaulty }: ImportWanted,
  { definitions, whyNot, before }: ImportPlace,
): Promise<Added> {
  const wanted = new Map(
    steps.flatMap(({ name, data }) => (name !== undefined && data ? [[name, data]] : [])),
  )
  const isFaulty = steps.some(({ result }) => result === 'faulty')
  const checked = await definitions.addAll('guest', wanted, { dryRun: true, skipFaulty: true })
  if ((isFaulty || checked.faulty.size > 0) && !skipFaulty)
    return { ...checked, whyNone: 'an entry is wrong; correct it, or leave it out with --skip-faulty' }
  if (dryRun) return { ...checked, whyNone: '--dry-run' }
  if (checked.made.length === 0) return checked
  const whyNone = await whyNot?.(checked.made)
  if (whyNone !== undefined) return { ...checked, whyNone }
  return definitions.addAll('guest', wanted, { ...defined({ skipFaulty }), before })
}

function resultOf({ line, name = '', result, why }: ImportStep, added: Added): EntryResult {
  const about = { line, name: name === '' ? null : name, why: why ?? null }
  if (result !== 'add') return { ...about, result }
  const problems = added.faulty.get(name)
  if (problems) {
    const words = problems.map(({ message, remedy }) =>
      remedy === undefined ? message : `${message}; ${remedy}`,
    )
    return { ...about, result: 'faulty', why: words.join('; ') }
  }
  return { ...about, result: added.whyNone === undefined ? 'added' : 'not added' }
}

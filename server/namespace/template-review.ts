import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import { groupBy } from '../core/group-by.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Answers, RenderedAnswerFile } from './answers.ts'
import type { StarredAnswerFile } from './starred-answer.ts'
import { bothSnapshots, type TemplatesToCome } from './template-changes.ts'

/** How many guests are rendered: six times each. */
const mostGuests = 200

/** What a change of templates does to the answer files of guests. Secrets are starred. */
export interface TemplateReview {
  /** Guests whose answer files are made of what changes. */
  readonly concerned: number
  /** Those that were rendered. */
  readonly reviewed: number
  /** Their files stay as they are. */
  readonly untouched: number
  /** Nobody can tell now: their trees are not ready. */
  readonly unknown: readonly string[]
  /** Their files would not be made. */
  readonly broken: readonly BrokenGuests[]
  /** Their files become others. */
  readonly touched: readonly TouchedGuests[]
}

export interface BrokenGuests {
  readonly why: string
  readonly guests: readonly string[]
  /** They are not made now either. */
  readonly already: boolean
}

export interface TouchedGuests {
  /** Of the first of the guests; '' where only what is starred differs. */
  readonly difference: string
  /** All whose lines change alike. */
  readonly guests: readonly string[]
}

export interface ReviewParts {
  readonly answers: Answers
  readonly who: Requester
  /** Makes the difference of two texts, with ` `, `-` or `+` before each line. */
  readonly difference: (before: string, after: string) => string
}

type Outcome =
  | { readonly kind: 'text'; readonly answer: StarredAnswerFile<RenderedAnswerFile> }
  | { readonly kind: 'fails' | 'unknown'; readonly why: string }

/** Renders the answer files of guests before and after a change of templates, and compares them. */
export async function reviewTemplates(
  snapshot: Snapshot,
  change: TemplatesToCome,
  parts: ReviewParts,
): Promise<TemplateReview> {
  const { before, after } = bothSnapshots(snapshot, change)
  const concerned = before.guests.all
  const names = concerned.slice(0, mostGuests).map(({ name }) => name)
  // One after the other: the renderer has the templates of one of the two at a time.
  const [old, next] = [await outcomes(before, names, parts), await outcomes(after, names, parts)]
  const pairs = names.map((name, i) => ({ name, old: old[i], next: next[i] }))
  const unknown = pairs.filter((each) => each.next?.kind === 'unknown' || each.old?.kind === 'unknown')
  const broken = pairs.flatMap(({ name, old: was, next: is }) =>
    is?.kind === 'fails' && was?.kind !== 'unknown'
      ? [{ name, why: is.why, already: was?.kind === 'fails' }]
      : [],
  )
  const changed = pairs.flatMap(({ name, old: was, next: is }) => {
    if (is?.kind !== 'text' || was?.kind === 'unknown') return []
    const [a, b] = [was?.kind === 'text' ? was.answer : undefined, is.answer]
    return a?.digest === b.digest ? [] : [{ name, difference: parts.difference(a?.text ?? '', b.text) }]
  })
  return {
    concerned: concerned.length,
    reviewed: names.length,
    untouched: names.length - unknown.length - broken.length - changed.length,
    unknown: unknown.map(({ name }) => name),
    broken: [...groupBy(broken, ({ why, already }) => [`${already} ${why}`]).values()].map((group) => ({
      why: group[0]?.why ?? '',
      guests: group.map(({ name }) => name),
      already: group[0]?.already ?? false,
    })),
    touched: [...groupBy(changed, ({ difference }) => [changedLines(difference)]).values()].map((group) => ({
      difference: group[0]?.difference ?? '',
      guests: group.map(({ name }) => name),
    })),
  }
}

async function outcomes(
  snapshot: Snapshot,
  names: readonly string[],
  parts: ReviewParts,
): Promise<Outcome[]> {
  const all: Outcome[] = []
  for (const name of names) all.push(await outcomeOf(snapshot, snapshot.guests.byName(name), parts))
  return all
}

async function outcomeOf(
  snapshot: Snapshot,
  guest: Guest | undefined,
  { answers, who }: ReviewParts,
): Promise<Outcome> {
  if (!guest) throw new Failure('internal', 'a guest is not in the snapshot that it came from')
  try {
    return { kind: 'text', answer: await answers.starred({ guest, who, snapshot }) }
  } catch (error) {
    // A template that ended the worker is its cause.
    const isPassing = failureKind(error) === 'unavailable' && (error as Failure).cause === undefined
    return { kind: isPassing ? 'unknown' : 'fails', why: failureMessage(error) }
  }
}

function changedLines(difference: string): string {
  return difference
    .split('\n')
    .filter((line) => !line.startsWith(' '))
    .join('\n')
}

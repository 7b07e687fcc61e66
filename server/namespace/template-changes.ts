import { join, relative } from 'node:path'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { Guest } from '../core/guest/guest.ts'
import { createGuestIndex } from '../core/guest/match.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { withIncludes } from '../templates/includes.ts'
import { lintTemplates } from '../templates/lint.ts'
import type { TemplateChecker, TemplateProblem } from '../templates/problem.ts'
import type { GuestChecks } from './guest-checks.ts'
import { unreadVars } from './unread-vars.ts'

/** A change of templates that is to be judged. */
export interface TemplatesToCome {
  /** The texts of those that change; undefined for one that goes. */
  readonly texts: ReadonlyMap<string, string | undefined>
  /** Guests that had one template have another one. */
  readonly replaced?: { readonly from: string; readonly to: string }
}

export interface TemplateJudge {
  /** One of its own: it forgets the guests that the change does not concern. */
  readonly guestChecks: Pick<GuestChecks, 'look' | 'settled' | 'whyNot' | 'problems'>
  readonly checker: TemplateChecker
  /** What messages name files from. */
  readonly cwd: string
}

/**
 * The problems that a change of templates adds: mistakes in them, guests that could be installed before, and variables
 * of guests that nothing reads any more. What was wrong before counts only where it was not.
 */
export async function problemsAdded(
  snapshot: Snapshot,
  change: TemplatesToCome,
  { guestChecks, checker, cwd }: TemplateJudge,
): Promise<readonly SnapshotProblem[]> {
  const { before, after } = bothSnapshots(snapshot, change)
  const known = new Set((await mistakes(before.templates, checker)).map(mistakeKey))
  const added = (await mistakes(after.templates, checker)).filter((each) => !known.has(mistakeKey(each)))
  return [
    ...added.map((problem) =>
      shown(problem, relative(cwd, join(snapshot.config.paths.templates, problem.template))),
    ),
    ...(await guestsThatFail(before, after, guestChecks)),
    ...newlyUnread(before, after),
  ]
}

/** The snapshot with the guests alone whose answer files may change, and the same as it would be. */
export function bothSnapshots(
  snapshot: Snapshot,
  { texts, replaced }: TemplatesToCome,
): { readonly before: Snapshot; readonly after: Snapshot } {
  const templates = new Map(snapshot.templates)
  for (const [name, text] of texts)
    if (text === undefined) templates.delete(name)
    else templates.set(name, text)
  const isConcerned = ({ settings }: Guest): boolean => {
    const name = settings.template?.value
    if (name === undefined) return false
    const read = [...withIncludes(name, snapshot.templates), ...withIncludes(name, templates)]
    return name === replaced?.from || [name, ...read].some((each) => texts.has(each))
  }
  const guests = snapshot.guests.all.filter(isConcerned)
  const next = replaced ? guests.map((guest) => withTemplate(guest, replaced)) : guests
  return {
    before: { ...snapshot, guests: createGuestIndex(guests) },
    after: { ...snapshot, templates, guests: createGuestIndex(next) },
  }
}

export function withTemplate(
  guest: Guest,
  { from, to }: { readonly from: string; readonly to: string },
): Guest {
  const { template } = guest.settings
  if (template?.value !== from) return guest
  return { ...guest, settings: { ...guest.settings, template: { ...template, value: to } } }
}

async function mistakes(
  templates: ReadonlyMap<string, string>,
  checker: TemplateChecker,
): Promise<readonly TemplateProblem[]> {
  return (await lintTemplates(templates, checker)).filter(({ severity }) => severity !== 'hint')
}

/** Without its line, which every edit above it moves. */
function mistakeKey({ template, message }: TemplateProblem): string {
  return `${template}\n${message}`
}

function shown({ line, severity, message, remedy }: TemplateProblem, file: string): SnapshotProblem {
  return {
    severity: severity === 'error' ? 'error' : 'warning',
    where: `${file}:${line}`,
    message,
    ...(remedy !== undefined && { remedy }),
  }
}

async function guestsThatFail(
  before: Snapshot,
  after: Snapshot,
  checks: TemplateJudge['guestChecks'],
): Promise<SnapshotProblem[]> {
  const failing = async (snapshot: Snapshot): Promise<Guest[]> => {
    checks.look(snapshot)
    await checks.settled()
    return snapshot.guests.all.filter(({ name }) => checks.whyNot(name) !== undefined)
  }
  const known = new Set((await failing(before)).map(({ name }) => name))
  const added = (await failing(after)).filter(({ name }) => !known.has(name))
  if (added.length === 0) return []
  // Their verdicts are known: nothing is rendered again.
  await failing({ ...after, guests: createGuestIndex(added) })
  return checks.problems().filter(({ severity }) => severity === 'error')
}

function newlyUnread(before: Snapshot, after: Snapshot): SnapshotProblem[] {
  const known = new Set(unreadVars(before).map(({ message }) => message))
  return unreadVars(after).filter(({ message }) => !known.has(message))
}

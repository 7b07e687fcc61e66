import type { Snapshot } from '../catalog/snapshot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { answerProblems } from '../namespace/answer-checks.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { cliNamespaceParts } from './answers.ts'
import { cliRequester } from './cli-requester.ts'

/**
 * How many answer files are rendered for each template. Further guests with the same template mostly differ
 * only in names and addresses.
 */
const mostOfOneTemplate = 200

/**
 * Renders answer files, and returns the reason of each failure once, with the first guest that it concerns. A tree that
 * is not ready is reported as a problem of the tree, and may end without a change by the operator.
 */
export async function answerFileProblems(
  snapshot: Snapshot,
  renderer: TemplateRenderer,
): Promise<readonly SnapshotProblem[]> {
  const { answers } = cliNamespaceParts(snapshot, { renderer })
  const who = cliRequester(snapshot.config)
  const verdicts = []
  for (const guest of guestsToCheck(snapshot))
    verdicts.push({ guest, why: await answers.tryOut({ guest, who, snapshot }) })
  return answerProblems(verdicts)
}

/** The guests whose answer files are checked. */
function guestsToCheck({ guests }: Snapshot): Guest[] {
  const counts = new Map<string, number>()
  return guests.all.filter(({ settings }) => {
    const name = settings.template?.value
    if (name === undefined) return false
    const seen = (counts.get(name) ?? 0) + 1
    counts.set(name, seen)
    return seen <= mostOfOneTemplate
  })
}

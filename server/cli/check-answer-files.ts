import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { cleanPath } from '../files/path.ts'
import { noMachines } from '../machines/machines.ts'
import { createNamespace } from '../namespace/namespace.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { cliRequester, expectedServices } from './cli-requester.ts'

/**
 * How many answer files are rendered for each template. Further guests with the same template mostly differ
 * only in names and addresses.
 */
const mostOfOneTemplate = 200

/**
 * Renders answer files, and returns the reason of each failure once, with the first guest that it concerns.
 */
export async function answerFileProblems(
  snapshot: Snapshot,
  renderer: TemplateRenderer,
): Promise<SnapshotProblem[]> {
  const services = expectedServices(snapshot.config)
  const namespace = createNamespace({
    snapshot: () => snapshot,
    services: () => services,
    renderer,
    onWarnings: () => undefined,
    machines: noMachines,
  })
  const who = cliRequester(snapshot.config)
  const guestsByReason = new Map<string, Guest[]>()
  for (const guest of guestsToCheck(snapshot)) {
    try {
      // `stat` renders the file: its size is known only then.
      await namespace.stat(cleanPath(`/ks/${guest.name}`), who)
    } catch (error) {
      // The tree is not ready. That is reported as a problem of the tree, and may end without a change by the
      // operator.
      // A template that was stopped has its problem as the cause.
      if (error instanceof Failure && error.kind === 'unavailable' && !error.cause) continue
      const message = failureMessage(error)
      guestsByReason.set(message, [...(guestsByReason.get(message) ?? []), guest])
    }
  }
  return [...guestsByReason].map(([message, [first, ...others]]) => ({
    severity: 'error',
    where: first?.definedAt ?? '',
    message: `no answer file for guest ${first?.name}${others.length > 0 ? ` and ${others.length} more` : ''}: ${message}`,
  }))
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

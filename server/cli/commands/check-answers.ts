import type { Snapshot } from '../../catalog/snapshot.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { Guest } from '../../core/guest/guest.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import { cleanPath } from '../../files/path.ts'
import { createNamespace } from '../../namespace/namespace.ts'
import type { TemplateRenderer } from '../../templates/renderer.ts'
import { expectedServices, localRequester } from '../cli-requester.ts'

/** Guests of one template whose answer files are made; the rest of a large fleet differs in names and addresses. */
const mostOfOneTemplate = 200

/** What keeps the answer files of guests from being made, each reason once, with the first guest that it meets. */
export async function answerProblems(
  snapshot: Snapshot,
  renderer: TemplateRenderer,
): Promise<SnapshotProblem[]> {
  const services = expectedServices(snapshot.config)
  const namespace = createNamespace({
    snapshot: () => snapshot,
    services: () => services,
    renderer,
    onWarnings: () => undefined,
  })
  const who = localRequester(snapshot.config)
  const met = new Map<string, Guest[]>()
  for (const guest of withTemplates(snapshot)) {
    try {
      await namespace.stat(cleanPath(`/ks/${guest.name}`), who)
    } catch (error) {
      // Its tree is not there yet, or no longer: that is told of the tree, and changes without anybody's mistake.
      if (error instanceof Failure && error.kind === 'unavailable') continue
      const message = failureMessage(error)
      met.set(message, [...(met.get(message) ?? []), guest])
    }
  }
  return [...met].map(([message, [first, ...others]]) => ({
    severity: 'error',
    where: first?.definedAt ?? '',
    message: `no answer file for guest ${first?.name}${others.length > 0 ? ` and ${others.length} more` : ''}: ${message}`,
  }))
}

function withTemplates({ guests }: Snapshot): Guest[] {
  const counts = new Map<string, number>()
  return guests.all.filter(({ settings }) => {
    const name = settings.template?.value
    if (name === undefined) return false
    const seen = (counts.get(name) ?? 0) + 1
    counts.set(name, seen)
    return seen <= mostOfOneTemplate
  })
}

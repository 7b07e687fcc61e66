import type { Snapshot } from '../catalog/snapshot.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { SpareRenderer } from '../templates/spare-renderer.ts'
import { type AnswersParts, createAnswers } from './namespace.ts'
import { problemsAdded, type TemplatesToCome } from './template-changes.ts'

/** Enough for each template to be seen with all its vars, and few enough for somebody who waits. */
const mostOfOneTemplate = 200

export interface TemplateJudgeParts extends Pick<AnswersParts, 'services' | 'machines'> {
  readonly snapshot: () => Snapshot
  readonly spare: SpareRenderer
  /** What messages name files from. */
  readonly cwd: string
}

/** Judges changes of templates by the guests of a running server, apart from the renderer that machines wait for. */
export function templateJudge({ snapshot, services, machines, spare, cwd }: TemplateJudgeParts) {
  return (change: TemplatesToCome): Promise<readonly SnapshotProblem[]> =>
    spare.use(async (renderer) => {
      const { guestChecks } = createAnswers({ services, machines, renderer, mostOfOneTemplate })
      try {
        return await problemsAdded(snapshot(), change, { guestChecks, checker: renderer, cwd })
      } finally {
        await guestChecks.stop()
      }
    })
}

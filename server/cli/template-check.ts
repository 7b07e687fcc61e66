import type { Snapshot } from '../catalog/snapshot.ts'
import type { TemplateCheck } from '../definitions/template-definitions.ts'
import { createAnswers } from '../namespace/namespace.ts'
import { problemsAdded } from '../namespace/template-changes.ts'
import { cliNamespaceParts, mostOfOneTemplate } from './answers.ts'
import type { CliIo } from './output/io.ts'
import { withRenderer } from './with-renderer.ts'

/** Judges changes of templates by all guests of a snapshot, which is read when it is needed. */
export function templateCheck(read: () => Promise<Snapshot>, io: CliIo): TemplateCheck {
  return async (change) => {
    const snapshot = await read()
    return withRenderer(io, (renderer) => {
      const { services, machines } = cliNamespaceParts(snapshot, { renderer })
      const { guestChecks } = createAnswers({ services, machines, renderer, mostOfOneTemplate })
      return problemsAdded(snapshot, change, { guestChecks, checker: renderer, cwd: io.cwd })
    })
  }
}

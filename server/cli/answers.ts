import type { Snapshot } from '../catalog/snapshot.ts'
import { type BootInputs, planGuest } from '../core/boot/plan-boot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { noMachines } from '../machines/no-machines.ts'
import type { Answers } from '../namespace/answers.ts'
import { createAnswers, type NamespaceParts } from '../namespace/namespace.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { cliInputs, cliRequester, expectedServices } from './cli-requester.ts'
import type { StoredStates } from './guest-store.ts'
import type { CliIo } from './output/io.ts'
import { withRenderer } from './with-renderer.ts'

/** What a command knows of the guests' past. */
type Past = Partial<Pick<StoredStates, 'stateOf' | 'reportToken'>>

export interface CliNamespaceOptions extends Past {
  readonly renderer: TemplateRenderer
  readonly onWarnings?: (guest: Guest, warnings: readonly string[]) => void
}

/** The parts of a namespace that is made for one command. */
export function cliNamespaceParts(
  snapshot: Snapshot,
  { renderer, onWarnings, ...past }: CliNamespaceOptions,
): NamespaceParts {
  const expected = expectedServices(snapshot.config)
  const services = () => expected
  const machines = { ...noMachines, ...past }
  const { answers } = createAnswers({
    services,
    machines,
    renderer,
    ...(onWarnings && { onWarnings }),
  })
  return { snapshot: () => snapshot, services, machines, answers }
}

/** The inputs of a decision about this guest, whose answer file is tried out. */
export async function inputsForGuest(
  guest: Guest,
  { snapshot, ...past }: Past & { readonly snapshot: Snapshot },
  io: CliIo,
): Promise<BootInputs> {
  const inputs = cliInputs(snapshot, past.stateOf)
  const who = cliRequester(snapshot.config)
  return withRenderer(io, (renderer) => {
    const answers: Answers = cliNamespaceParts(snapshot, { renderer, ...past }).answers
    return answers.inputsFor(inputs, { guest, who, snapshot })
  })
}

/**
 * What the next network boot of a guest does that is to be installed, as the end of a sentence. Without facts of a
 * machine, and without states: an order to install forgets what the guest was offered before.
 */
export async function nextInstallation(
  guest: Guest,
  { snapshot, io }: { readonly snapshot: Snapshot; readonly io: CliIo },
): Promise<{ readonly installs: boolean; readonly text: string }> {
  const plan = planGuest(guest, {}, await inputsForGuest(guest, { snapshot }, io))
  if (plan.kind !== 'install')
    return { installs: false, text: `installs nothing: ${plan.why.replace(`guest ${guest.name}: `, '')}` }
  // An order does not wait for digests, which may take long: the server has mostly computed them.
  return { installs: true, text: `installs ${plan.tree.id}${plan.tree.unverified ? ' (not verified)' : ''}` }
}

/** Enough for each template to be seen with all its vars, and few enough for a command. */
export const mostOfOneTemplate = 200

/**
 * What is wrong with guests, each reason once. A tree that is not ready is reported as a problem of the tree, and may end
 * without a change by the operator.
 */
export async function guestProblems(
  snapshot: Snapshot,
  renderer: TemplateRenderer,
): Promise<readonly SnapshotProblem[]> {
  const { services, machines } = cliNamespaceParts(snapshot, { renderer })
  const { guestChecks } = createAnswers({ services, machines, renderer, mostOfOneTemplate })
  guestChecks.look(snapshot)
  await guestChecks.settled()
  return guestChecks.problems()
}

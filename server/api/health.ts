import type { Accounts } from '../accounts/accounts.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { defined } from '../core/defined.ts'
import { heldText } from '../core/guest/doubt.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Machines } from '../machines/machines.ts'
import type { GuestChecks } from '../namespace/guest-checks.ts'
import type { DataFolder } from '../store/data-folder.ts'
import { againText } from '../templates/problem.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'

/** What is wrong with the running server, beside what the snapshot knows of configuration, trees and templates. */
export interface ServerHealth {
  /** Whether config.yaml has errors, so that an earlier one is in force. */
  isConfigRefused(): boolean
  /**
   * Why no installation can begin, no tree come in, or no change of the configuration take effect, one line each;
   * empty when the server is ready.
   */
  reasons(): readonly string[]
  problems(): readonly SnapshotProblem[]
}

export interface HealthParts {
  readonly accounts: Pick<Accounts, 'problems'>
  readonly catalog: Pick<Catalog, 'refusedConfig'>
  readonly autoGuests: { readonly problems: () => readonly SnapshotProblem[] }
  readonly machines: Pick<Machines, 'whyNotWritable' | 'doubt' | 'forgottenOrders' | 'selectorProblems'>
  /** What the services noticed beside themselves. */
  readonly running: { readonly problems: readonly SnapshotProblem[] }
  /** Timelines that have gaps. */
  readonly boots: { readonly problems: () => readonly SnapshotProblem[] }
  readonly webhooks: { readonly problems: () => readonly SnapshotProblem[] }
  readonly renderer: Pick<TemplateRenderer, 'stopped'>
  readonly guestChecks: Pick<GuestChecks, 'problems'>
  /** Undefined before the start. */
  readonly data: () => Pick<DataFolder, 'whyTooFull'> | undefined
}

export function serverHealth({
  accounts,
  autoGuests,
  catalog,
  machines,
  running,
  renderer,
  boots,
  webhooks,
  guestChecks,
  data,
}: HealthParts): ServerHealth {
  const ofData = (): string[] =>
    [machines.whyNotWritable(), data()?.whyTooFull()].filter((reason) => reason !== undefined)
  const isConfigRefused = (): boolean => catalog.refusedConfig !== undefined
  return {
    isConfigRefused,
    reasons: () => [...(catalog.refusedConfig ? [catalog.refusedConfig.summary] : []), ...ofData()],
    problems() {
      const doubt = machines.doubt()
      const held: SnapshotProblem[] = doubt
        ? [{ severity: 'warning', where: 'store', message: heldText(doubt) }]
        : []
      return [
        ...(catalog.refusedConfig?.problems ?? []),
        ...ofData().map((message): SnapshotProblem => ({ severity: 'error', where: 'paths.data', message })),
        ...held,
        ...machines
          .forgottenOrders()
          .map((message): SnapshotProblem => ({ severity: 'warning', where: 'store', message })),
        ...machines.selectorProblems(),
        ...autoGuests.problems(),
        ...accounts.problems(),
        ...running.problems,
        ...boots.problems(),
        ...webhooks.problems(),
        ...guestChecks.problems(),
        ...renderer.stopped.map(
          ({ template, line, message, remedy, againMs }): SnapshotProblem => ({
            severity: 'error',
            where: `${template}:${line}`,
            message: `${message}${againText(defined({ againMs }))}`,
            ...defined({ remedy }),
          }),
        ),
      ]
    },
  }
}

import { availableParallelism } from 'node:os'
import type { Boot } from '../core/boots/boot.ts'
import type { BootFilter } from './boots.ts'

/** With fewer cores than these, an emulated machine takes from installations what they need of us. */
const coresForBoth = 4
/** More are only counted. */
const limit = 100

/** Why no emulated machine should run now: installations do, and this host has few cores. Undefined when it may. */
export async function whyTooBusy(
  list: (filter: BootFilter) => Promise<readonly Boot[]>,
  cores = availableParallelism(),
): Promise<string | undefined> {
  if (cores >= coresForBoth) return undefined
  const running = (await list({ state: 'running', limit })).filter(({ purpose }) => purpose === 'install')
  if (running.length === 0) return undefined
  const machines = running.length === 1 ? 'a machine is' : `${running.length} machines are`
  return `${machines} being installed, and this host has ${cores} ${cores === 1 ? 'core' : 'cores'}`
}

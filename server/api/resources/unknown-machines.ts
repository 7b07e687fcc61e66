import type { ApiContext, Reply } from '../route.ts'
import type { UnknownMachineView } from '../types.ts'
import { machineView } from '../views.ts'

/** Machines that asked for network boot and are not guests, the one seen last first. */
export async function list(_: unknown, { machines }: ApiContext): Promise<Reply> {
  const json: readonly UnknownMachineView[] = (await machines.unknownMachines()).map(machineView)
  return { json }
}

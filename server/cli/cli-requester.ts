import type { Snapshot } from '../catalog/snapshot.ts'
import type { Config } from '../config/schema.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { type OpenServices, openServices } from '../core/boot/urls.ts'
import { type ServiceName, serviceNames, serviceTable } from '../core/services.ts'
import { bootInputs } from '../machines/decide.ts'
import { noMachines } from '../machines/no-machines.ts'
import { ownRequester } from '../machines/own-requester.ts'

export { firstAddress, ownRequester as cliRequester } from '../machines/own-requester.ts'

/**
 * The services as a running server would open them. A command cannot know which port the server chose for
 * `auto`, so it assumes the standard port.
 */
export function expectedServices(config: Config): OpenServices {
  const enabled = serviceNames.filter((name) => config[name].enabled)
  return openServices(enabled.map((name) => [name, expectedPort(config, name)]))
}

function expectedPort(config: Config, name: ServiceName): number {
  const { port } = config[name]
  return port === 'auto' ? serviceTable[name].standardPort : port
}

/** The inputs of a boot decision for `cliRequester`. */
export function cliInputs(snapshot: Snapshot, stateOf?: BootInputs['stateOf']): BootInputs {
  const { config } = snapshot
  return bootInputs({
    snapshot,
    services: expectedServices(config),
    who: ownRequester(config),
    ...(stateOf && { machines: { ...noMachines, stateOf } }),
  })
}

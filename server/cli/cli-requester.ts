import { networkInterfaces } from 'node:os'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { Config } from '../config/schema.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { type OpenServices, openServices } from '../core/boot/urls.ts'
import { internalRequester, type Requester } from '../core/net/requester.ts'
import { type ServiceName, serviceNames, serviceTable } from '../core/services.ts'
import { bootInputs } from '../machines/decide.ts'
import { noMachines } from '../machines/machines.ts'

/**
 * The client that commands decide for. It is treeboot itself, so that nothing is counted for a machine; but it
 * reached us as a machine on our network would: by the address that HTTP (or else TFTP) is bound to, from which
 * URLs are made, or by our first network address when that is a wildcard.
 */
export function cliRequester({ http, tftp }: Pick<Config, 'http' | 'tftp'>): Requester {
  const { bind } = http.enabled ? http : tftp
  const localAddress = bind === '0.0.0.0' || bind === '::' ? firstAddress() : bind
  return { ...internalRequester, localAddress }
}

/** The first IPv4 address of this machine that is not a loopback address; 127.0.0.1 when it has none. */
export function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const lan = addresses.find((each) => each.family === 'IPv4' && !each.internal)
  return lan?.address ?? '127.0.0.1'
}

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
    who: cliRequester(config),
    ...(stateOf && { machines: { ...noMachines, stateOf } }),
  })
}

import type { Config } from './schema.ts'

const services = ['http', 'tftp', 'ftp', 'nfs', 'dhcp'] as const

/** What a running service asks the present configuration for, each time. Everything else is read when the service opens. */
const liveKeys: ReadonlySet<string> = new Set(['dhcp.knownOnly', 'dhcp.loader'])

/** As they are spelled in config.yaml. */
const spelled: Readonly<Record<string, string>> = {
  'ftp.passivePorts': 'ftp.passive-ports',
  'ftp.publicAddress': 'ftp.public-address',
}

/** Keys of config.yaml that say something else now than when the server was started, and take effect at its next start. */
export function keysForRestart(started: Config, now: Config): string[] {
  const changed = services.flatMap((service) => {
    const [before, after] = [valuesOf(started[service]), valuesOf(now[service])]
    return [...new Set([...before.keys(), ...after.keys()])]
      .filter((key) => before.get(key) !== after.get(key))
      .map((key) => `${service}.${key}`)
  })
  if (started.paths.data !== now.paths.data) changed.push('paths.data')
  return changed.filter((key) => !liveKeys.has(key)).map((key) => spelled[key] ?? key)
}

function valuesOf(service: object): Map<string, string> {
  return new Map(Object.entries(service).map(([key, value]) => [key, JSON.stringify(value)]))
}

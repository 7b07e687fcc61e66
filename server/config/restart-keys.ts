import { type ServiceRecord, serviceKeys, serviceNames, serviceTable } from '../core/services.ts'
import type { Config } from './schema.ts'

/** Returns the changed keys, such as `http.port`, that the server reads only at its start. */
export function keysForRestart(started: Config, now: Config): string[] {
  const changed = serviceNames.flatMap((service) => {
    const [before, after] = [valuesOf(started[service]), valuesOf(now[service])]
    return keysReadAtStart(serviceTable[service])
      .filter((key) => before.get(key) !== after.get(key))
      .map((key) => `${service}.${key}`)
  })
  // The other paths take effect at once; the store is opened only at the start.
  if (started.paths.data !== now.paths.data) changed.push('paths.data')
  return changed
}

function keysReadAtStart({ keys }: ServiceRecord): readonly string[] {
  return [...serviceKeys, ...Object.keys(keys).filter((key) => keys[key] === 'at-restart')]
}

/** The settings of a service by their keys in config.yaml, such as `passive-ports` for `passivePorts`. */
function valuesOf(service: object): ReadonlyMap<string, string> {
  const inFile = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return new Map(Object.entries(service).map(([key, value]) => [inFile(key), JSON.stringify(value)]))
}

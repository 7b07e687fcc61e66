import { networkInterfaces } from 'node:os'
import type { Config, ServiceConfig } from '../config/schema.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import type { Requester } from '../core/net/requester.ts'

/**
 * Whose eyes a command looks through: a machine on our network that reached us by the address that the services are bound to,
 * or by our first one there.
 */
export function localRequester({ http, tftp }: Pick<Config, 'http' | 'tftp'>): Requester {
  const { bind } = http.enabled ? http : tftp
  const localAddress = bind === '0.0.0.0' || bind === '::' ? firstAddress() : bind
  return { protocol: 'internal', address: '127.0.0.1', localAddress }
}

/** Of this machine on its network. */
export function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const lan = addresses.find((each) => each.family === 'IPv4' && !each.internal)
  return lan?.address ?? '127.0.0.1'
}

/** The services as a running server would open them; a command cannot know where `auto` ended, so it takes the standard port. */
export function expectedServices({ http, tftp, ftp, nfs }: Config): OpenServices {
  const port = (service: ServiceConfig, standard: number): { port: number } | undefined =>
    service.enabled ? { port: service.port === 'auto' ? standard : service.port } : undefined
  const [web, boot, files, mounts] = [port(http, 80), port(tftp, 69), port(ftp, 21), port(nfs, 2049)]
  return {
    ...(web && { http: web }),
    ...(boot && { tftp: boot }),
    ...(files && { ftp: files }),
    ...(mounts && { nfs: { ...mounts, mountPort: mounts.port } }),
  }
}

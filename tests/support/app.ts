import { type App, type AppOptions, createApp } from '../../server/app.ts'
import { quickCost } from '../accounts/support.ts'
import { sharedRenderer } from './renderer.ts'

/** In the place of the process of a boot test: no unit test starts QEMU. It says that no machine boots from the version. */
const noBootTest = ['sh', '-c', `read request; echo '{"event":"end"}'`] as const

/** The whole application. It waits a tenth as long as usual for trees and the configuration to settle. */
export function quickApp(options: Omit<AppOptions, 'version'>): App {
  return createApp({
    version: 'test',
    settle: { quietMs: 100 },
    configPollMs: 25,
    configQuietMs: 50,
    renderer: sharedRenderer,
    scrypt: quickCost,
    bootTestProgram: noBootTest,
    ...options,
  })
}

/** The same on a folder, where a new store installs the guests that are defined already. */
export function testApp(cwd: string): App {
  return quickApp({ cwd, newStore: 'install' })
}

/** A configuration with HTTP alone, on any free port of this machine, which everybody may read. A test adds lines of its own. */
export const httpOnly = `server: { bind: 127.0.0.1 }
http: { port: 0 }
tftp: { enabled: false }
ftp: { enabled: false }
nfs: { enabled: false }
access: { anonymous: viewer }
`

/** The port of a service that is open. */
export function portOf(app: App, service: 'http' | 'ftp' = 'http'): number {
  return app.serviceLines().find(({ name }) => name === service)?.port ?? 0
}

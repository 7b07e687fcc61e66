import { type App, createApp } from '../../server/app.ts'

/**
 * The whole application on a folder. It waits a tenth as long as usual for trees and the configuration to
 * settle.
 */
export function testApp(cwd: string): App {
  return createApp({ cwd, version: 'test', newStore: 'install', settle: { quietMs: 100 }, configPollMs: 25 })
}

/** A configuration with HTTP alone, on any free port of this machine. A test adds lines of its own. */
export const httpOnly = `server: { bind: 127.0.0.1 }
http: { port: 0 }
tftp: { enabled: false }
ftp: { enabled: false }
nfs: { enabled: false }
`

/** The port of a service that is open. */
export function portOf(app: App, service: 'http' | 'ftp' = 'http'): number {
  return app.serviceLines().find(({ name }) => name === service)?.port ?? 0
}

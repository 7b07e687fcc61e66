import { type App, createApp } from '../../server/app.ts'

/**
 * The whole application on a folder. It waits a tenth as long as usual for trees and the configuration to
 * settle.
 */
export function testApp(cwd: string): App {
  return createApp({ cwd, version: 'test', newStore: 'install', settle: { quietMs: 100 }, configPollMs: 25 })
}

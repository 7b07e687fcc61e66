import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { fileHandles, KillAtCall } from './kill-at-call.ts'

/**
 * `node auto-install-child.js HOME KILL-AT MAC` runs the whole application, and tells its port when its tree is ready. From
 * then on it kills itself before the call of that number which changes something in a file system. The message `calls` asks how many
 * there were.
 */
const [cwd = '', killAt = '', mac = ''] = process.argv.slice(2)
const counter = new KillAtCall(Number(killAt))
counter.isCounting = false
counter.watch(await fileHandles(), ['write', 'writeFile', 'sync', 'datasync', 'chmod', 'chown'])
counter.watch(promises, ['open', 'link', 'rename', 'rm', 'unlink', 'mkdir', 'copyFile', 'writeFile'])
counter.watch(fs, ['openSync', 'unlinkSync', 'renameSync', 'writeSync', 'fsyncSync'])
syncBuiltinESMExports()

const { portOf, quickApp } = await import('./app.ts')
const app = quickApp({ cwd, newStore: 'install', macAt: async () => mac })
await app.start()
while (app.snapshot().trees.byId('fedora-40')?.state !== 'ready')
  await new Promise((resolve) => setTimeout(resolve, 20))
counter.isCounting = true
process.on('message', () => process.send?.({ calls: counter.calls }))
process.send?.({ port: portOf(app) })

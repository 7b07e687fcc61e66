import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/**
 * `node auto-install-child.js HOME KILL-AT MAC` runs the whole application, and tells its port when its tree is ready. From
 * then on it kills itself before the call of that number which changes something in a file system. The message `calls` asks how many
 * there were.
 */
const [cwd = '', killAt = '', mac = ''] = process.argv.slice(2)
let calls = 0
let isCounting = false

// biome-ignore lint/suspicious/noExplicitAny: any function of the module
type Calls = Record<string, (...args: any[]) => unknown>

function count(module: Calls, names: readonly string[]): void {
  for (const each of names) {
    const original = module[each] as Calls[string]
    module[each] = function (this: unknown, ...args) {
      const isRead = each.startsWith('open') && (args[1] === undefined || args[1] === 'r')
      if (isCounting && !isRead && ++calls === Number(killAt)) die()
      return original.apply(this, args)
    }
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // Nothing else may happen before the signal arrives.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const handle = await promises.open(process.execPath)
const prototype = Object.getPrototypeOf(handle) as Calls
await handle.close()
count(prototype, ['write', 'writeFile', 'sync', 'datasync', 'chmod', 'chown'])
count(promises as unknown as Calls, [
  'open',
  'link',
  'rename',
  'rm',
  'unlink',
  'mkdir',
  'copyFile',
  'writeFile',
])
count(fs as unknown as Calls, ['openSync', 'unlinkSync', 'renameSync', 'writeSync', 'fsyncSync'])
syncBuiltinESMExports()

const { portOf, quickApp } = await import('./app.ts')
const app = quickApp({ cwd, newStore: 'install', macAt: async () => mac })
await app.start()
while (app.snapshot().trees.byId('fedora-40')?.state !== 'ready')
  await new Promise((resolve) => setTimeout(resolve, 20))
isCounting = true
process.on('message', () => process.send?.({ calls }))
process.send?.({ port: portOf(app) })

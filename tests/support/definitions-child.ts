import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/**
 * `node definitions-child.js HOME KILL-AT rename KIND OLD NEW` gives a definition another name, and kills itself before the
 * call of that number which changes something in a file system. Without such a call it prints how many there were.
 * `node definitions-child.js HOME KILL-AT add KIND NAME...` makes new ones at once.
 */
const [cwd = '', killAt = '', verb = '', kind = '', ...names] = process.argv.slice(2)
let calls = 0

// biome-ignore lint/suspicious/noExplicitAny: any function of the module
type Calls = Record<string, (...args: any[]) => unknown>

function count(module: Calls, names: readonly string[]): void {
  for (const each of names) {
    const original = module[each] as Calls[string]
    module[each] = function (this: unknown, ...args) {
      if (++calls === Number(killAt)) die()
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

const { FolderDefinitions } = await import('../../server/definitions/folder-definitions.ts')
const definitions = new FolderDefinitions({ cwd })
const [name = '', newName = ''] = names
const { etag = '' } = verb === 'rename' ? await definitions.read(kind as 'guest', name) : {}
// What is written to a file descriptor and synced, and what changes names.
count(prototype, ['writeFile', 'sync', 'chmod', 'chown'])
count(promises as unknown as Calls, ['open', 'link', 'rename', 'rm', 'mkdir', 'copyFile'])
count(fs as unknown as Calls, ['openSync', 'unlinkSync'])
syncBuiltinESMExports()
if (verb === 'rename') await definitions.rename(kind as 'guest', name, newName, { expected: etag })
else await definitions.addAll(kind as 'guest', new Map(names.map((each) => [each, { args: [each] }])), {})
process.stdout.write(`${calls}\n`)

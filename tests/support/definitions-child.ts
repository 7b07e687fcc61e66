import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { fileHandles, KillAtCall } from './kill-at-call.ts'

/**
 * `node definitions-child.js HOME KILL-AT KIND OLD NEW` gives a definition another name, and kills itself before the call
 * of that number which changes something in a file system. Without such a call it prints how many there were.
 */
const [cwd = '', killAt = '', kind = '', name = '', newName = ''] = process.argv.slice(2)
const counter = new KillAtCall(Number(killAt))
const handles = await fileHandles()

const { FolderDefinitions } = await import('../../server/definitions/folder-definitions.ts')
const definitions = new FolderDefinitions({ cwd })
const { etag = '' } = await definitions.read(kind as 'guest', name)
// What is written to a file descriptor and synced, and what changes names.
counter.watch(handles, ['writeFile', 'sync', 'chmod', 'chown'])
counter.watch(promises, ['open', 'link', 'rename', 'rm', 'mkdir', 'copyFile'])
counter.watch(fs, ['openSync', 'unlinkSync'])
syncBuiltinESMExports()
await definitions.rename(kind as 'guest', name, newName, { expected: etag })
process.stdout.write(`${counter.calls}\n`)

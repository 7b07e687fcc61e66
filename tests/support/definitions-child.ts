import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { fileHandles, KillAtCall } from './kill-at-call.ts'

/**
 * `node definitions-child.js HOME KILL-AT rename KIND OLD NEW` gives a definition another name, and kills itself before the
 * call of that number which changes something in a file system. Without such a call it prints how many there were.
 * `node definitions-child.js HOME KILL-AT add KIND NAME...` makes new ones at once.
 */
const [cwd = '', killAt = '', verb = '', kind = '', ...names] = process.argv.slice(2)
const counter = new KillAtCall(Number(killAt))
const handles = await fileHandles()

const { FolderDefinitions } = await import('../../server/definitions/folder-definitions.ts')
const definitions = new FolderDefinitions({ cwd })
const [name = '', newName = ''] = names
const { etag = '' } = verb === 'rename' ? await definitions.read(kind as 'guest', name) : {}
// What is written to a file descriptor and synced, and what changes names.
counter.watch(handles, ['writeFile', 'sync', 'chmod', 'chown'])
counter.watch(promises, ['open', 'link', 'rename', 'rm', 'mkdir', 'copyFile'])
counter.watch(fs, ['openSync', 'unlinkSync'])
syncBuiltinESMExports()
if (verb === 'rename') await definitions.rename(kind as 'guest', name, newName, { expected: etag })
else await definitions.addAll(kind as 'guest', new Map(names.map((each) => [each, { args: [each] }])), {})
process.stdout.write(`${counter.calls}\n`)

// Before all that may keep `Date.now`.
import './set-clock.ts'
import type { Role } from '../../server/core/access/access.ts'
import { makeToken } from './api.ts'
import { portOf, testApp } from './app.ts'

/**
 * `node app-child.ts FOLDER [ROLE [TOKEN]]` runs the whole application in a process of its own, which a test may kill. It makes a
 * token, unless there is one of an earlier run.
 */
const [folder = '', role = 'operator', token] = process.argv.slice(2)
const app = testApp(folder)
await app.start()
process.send?.({ port: portOf(app), token: token ?? (await makeToken(app, role as Role)) })

import { makeToken } from './api.ts'
import { portOf, testApp } from './app.ts'

/** `node app-child.ts FOLDER` runs the whole application in a process of its own, which a test may kill. */
const app = testApp(process.argv[2] ?? '')
await app.start()
process.send?.({ port: portOf(app), token: await makeToken(app, 'operator') })

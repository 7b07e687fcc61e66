/**
 * The server as `treeboot serve` runs it, which also writes every event of its bus to a file: recordings of boots are made
 * with it. Usage: `node --import tsx recording-server.ts serve --config FILE ...`, with EVENTS=FILE.
 */
import { appendFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createApp } from '../../../server/app.ts'
import { logSink } from '../../../server/events/log.ts'

const configFile = process.argv[process.argv.indexOf('--config') + 1] ?? 'config.yaml'
const app = createApp({ cwd: dirname(configFile), configFile, version: 'test', newStore: 'install' })
app.events.subscribe(logSink({ format: 'json', level: 'info', color: false }))
app.events.subscribe((event) => {
  const line = JSON.stringify({ atMs: Date.now(), event }, (key, value) =>
    key === 'connection' ? undefined : value,
  )
  appendFileSync(process.env.EVENTS ?? '/dev/null', `${line}\n`)
})
await app.start()
const open = app.serviceLines().filter((service) => service.open)
const services = Object.fromEntries(open.map(({ name, host, port }) => [name, { host, port }]))
console.log(JSON.stringify({ event: 'started', services }))
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))

import { closeSync, openSync } from 'node:fs'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { App, ServiceLine } from '../../app.ts'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { ConfigError } from '../../config/problems.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import { bracketed, listenText } from '../../core/net/address.ts'
import type { LogLevel } from '../../events/log.ts'
import { giveMemoryBack, shareArenas } from '../../host/idle-memory.ts'
import { firstAddress } from '../cli-requester.ts'
import { requireConfigHere } from '../config-here.ts'
import { type CommonOptions, configOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, table } from '../output/table.ts'
import { setupAtStart } from '../setup-link.ts'
import { packageVersion } from '../version.ts'
import { describeProblems } from './check.ts'

interface ServeOptions extends CommonOptions {
  readonly logLevel: LogLevel
  readonly newStore?: 'install'
}

export function registerServe(program: Command, io: CliIo): void {
  program
    .command('serve')
    .description('run the server: read the trees and open the services')
    .addOption(configOption())
    .addOption(
      new Option('--log-level <level>', 'the lowest level that is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addOption(
      new Option(
        '--new-store <what>',
        'a new store may install the guests that are defined already; for tests and throw-away servers, never for a store that was lost',
      )
        .choices(['install'])
        .env('TREEBOOT_NEW_STORE'),
    )
    .option('--json', 'log JSON lines; the line with "event":"started" says where the services listen')
    .action((options: ServeOptions) => serve(options, io))
}

async function serve({ config, json, logLevel, newStore }: ServeOptions, io: CliIo): Promise<void> {
  await requireConfigHere(defined({ config }), io)
  const version = packageVersion()
  shareArenas()
  // Loaded only here: for all other commands the packages of the server would only cost time.
  const [{ createApp }, { logSink }] = await Promise.all([
    import('../../app.ts'),
    import('../../events/log.ts'),
  ])
  const app = createApp({ cwd: io.cwd, version, ...defined({ configFile: config, newStore }) })
  const log = logSink({ format: json ? 'json' : 'text', level: logLevel, color: io.color })
  app.events.subscribe(log)
  const hangup = followHangups(app)
  try {
    await app.start()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    io.err(describeProblems(error.problems))
    return io.exit(exitCodes.badInput)
  }
  io.out(json ? `${JSON.stringify(startedEvent(app, version))}\n` : startText(app, version))
  await offerSetup(app, io, json === true)
  giveMemoryBack()
  const signals = new EndSignals()
  const ended = await Promise.race([signals.first, hangup])
  await app.stop(signals.second)
  app.events.emit({ type: 'stop', message: 'stopped' })
  log.flush()
  // Node 20 sets the terminal back as it exits, and aborts with a core dump where the terminal is gone.
  if (ended === 'SIGHUP') process.kill(process.pid, 'SIGKILL')
}

/** The line for programs that start treeboot. It names the address of each open service. */
function startedEvent(app: App, version: string) {
  const open = app.serviceLines().filter((service) => service.open)
  const services = Object.fromEntries(open.map(({ name, host, port }) => [name, { host, port }]))
  // Earlier builds called the services `doors`; programs may still read that key.
  return { event: 'started', version, pid: process.pid, services, doors: services }
}

function startText(app: App, version: string): string {
  const snapshot = app.snapshot()
  const lines = app.serviceLines().map((service) => [`  ${service.name}`, ...serviceCells(service)])
  const trouble = snapshot.problems.length > 0 ? `\n${describeProblems(snapshot.problems)}` : ''
  return `treeboot ${version} · ${summary(snapshot)}\n\n${table(lines)}${trouble}${snapshot.trees.all.length === 0 ? firstSteps(snapshot, app) : ''}\n`
}

function summary({ config, trees, guests }: Snapshot): string {
  const ready = trees.all.filter((tree) => tree.state === 'ready').length
  const states = ready === trees.all.length ? '' : ` (${ready} ready)`
  return [
    config.file ?? 'no config.yaml, all defaults',
    count(trees.all.length, 'tree') + states,
    count(guests.all.length, 'guest'),
  ].join(' · ')
}

function serviceCells(service: ServiceLine): string[] {
  if (!service.open) return ['-', service.note]
  const url = service.name === 'http' ? httpUrl(service) : ''
  return [listenText(service.host ?? '', service.port ?? 0), [url, service.note].filter(Boolean).join('  ')]
}

function httpUrl({ host = '', port }: ServiceLine): string {
  const wildcard = host === '0.0.0.0' || host === '::'
  return `http://${bracketed(wildcard ? firstAddress() : host)}:${port}/`
}

/** How the first account is made: on the terminal, or in the log, which never has the link itself. */
async function offerSetup(
  { accounts, events, serviceLines, snapshot }: App,
  io: CliIo,
  isJson: boolean,
): Promise<void> {
  const { config } = snapshot()
  const http = serviceLines().find((service) => service.name === 'http' && service.open)
  const base = config.server.url ?? (http && httpUrl(http))
  if (base === undefined) return
  const shown = io.terminal === true && !isJson
  try {
    const text = await setupAtStart(accounts, { base, data: config.paths.data, shown })
    if (text === undefined) return
    if (shown) io.out(`${text}\n\n`)
    else events.emit({ type: 'config', outcome: 'loaded', message: text })
  } catch (error) {
    events.emit({ type: 'trouble', where: 'setup link', message: failureMessage(error) })
  }
}

/** Shows an operator what to do while there are no trees. */
function firstSteps({ config }: Snapshot, app: App): string {
  const http = app.serviceLines().find((service) => service.name === 'http' && service.open)
  return `
No trees yet. What to do next:
  1. Copy an installation tree into ${config.paths.trees}/; treeboot offers it when the copy is complete.
  2. npm run demo  fetches the Debian 12 installer and boots a machine from it.
  3. ${http ? httpUrl(http) : 'treeboot trees'} shows the trees; docs/configuration.md explains guests.
`
}

/**
 * SIGHUP reloads, as administrators expect of a server. The system sends it as well when the terminal closes in which
 * the server was started. That ends the server, which would otherwise go on unseen.
 *
 * @returns Resolves when the terminal is gone.
 */
function followHangups({ reload, events }: App): Promise<'SIGHUP'> {
  const note = (message: string): void => events.emit({ type: 'config', outcome: 'loaded', message })
  return new Promise((resolve) => {
    process.on('SIGHUP', () => {
      if (isTerminalGone()) return resolve('SIGHUP')
      note('SIGHUP: looking again at configuration, templates and trees')
      reload().then(
        () => note('SIGHUP: configuration, templates and trees were looked at again'),
        (error: unknown) => events.emit({ type: 'trouble', where: 'SIGHUP', message: failureMessage(error) }),
      )
    })
  })
}

/** A process without a terminal of its own, such as a service, has none that could go away. */
function isTerminalGone(): boolean {
  if (!process.stdout.isTTY) return false
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return false
  } catch {
    return true
  }
}

/** SIGINT and SIGTERM. The first one begins the end, the second one hastens it, and a third one kills. */
class EndSignals {
  readonly first: Promise<void>
  readonly second: AbortSignal

  constructor() {
    const second = new AbortController()
    this.second = second.signal
    this.first = new Promise((resolve) => {
      let isFirst = true
      const onSignal = (): void => {
        if (isFirst) resolve()
        else {
          second.abort()
          for (const name of endSignals) process.off(name, onSignal)
        }
        isFirst = false
      }
      for (const name of endSignals) process.on(name, onSignal)
    })
  }
}

const endSignals = ['SIGINT', 'SIGTERM'] as const

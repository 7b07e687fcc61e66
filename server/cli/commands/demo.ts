import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import pc from 'picocolors'
import type { App } from '../../app.ts'
import { Failure } from '../../core/failure.ts'
import { UndoStack } from '../../emulator/undo.ts'
import { bootDirectly, bootOverPxe, chooseWay, urlSeenByGuest } from '../demo/boot.ts'
import { BootMonitor } from '../demo/boot-monitor.ts'
import { type DemoFolder, makeDemoFolder } from '../demo/demo-folder.ts'
import { obtainInstaller } from '../demo/installer.ts'
import type { CliIo } from '../output/io.ts'
import { packageVersion } from '../version.ts'

interface DemoOptions {
  readonly boot: boolean
  readonly keep?: boolean
  readonly folder: string
  readonly cache?: string
}

/** The folder of treeboot's own templates, whether treeboot runs from `server/` or from `dist/server/`. */
function shippedTemplates(): string {
  const places = ['../../../kickstart-templates', '../../../../kickstart-templates']
  const found = places.map((up) => join(import.meta.dirname, up)).find((folder) => existsSync(folder))
  if (found === undefined)
    throw new Failure('internal', 'kickstart-templates/ is missing where treeboot is installed')
  return found
}

export function registerDemo(program: Command, io: CliIo): void {
  program
    .command('demo')
    .description('serve the Debian installer, and boot an emulated machine from it')
    .option('--no-boot', 'show what is served, but do not boot a machine')
    .option('--keep', 'keep serving after the boot, until Ctrl-C')
    .option('--folder <folder>', 'the folder of the demo', 'data/demo')
    .option('--cache <folder>', 'where the installer is unpacked (default: the folder of the demo)')
    .action((options: DemoOptions) => demo(options, io))
}

async function demo(options: DemoOptions, io: CliIo): Promise<void> {
  const folder = resolve(io.cwd, options.folder)
  const undo = new UndoStack()
  mkdirSync(folder, { recursive: true })
  const cache = resolve(io.cwd, options.cache ?? join(folder, 'installer'))
  const installer = await obtainInstaller(cache, 'amd64', (line) => io.err(`${line}\n`))
  const demoFolder = makeDemoFolder(folder, installer, shippedTemplates())
  // Loaded only here, as by `serve`.
  const { createApp } = await import('../../app.ts')
  const app = createApp({
    cwd: folder,
    configFile: join(folder, 'here.yaml'),
    version: packageVersion(),
    newStore: 'install',
  })
  try {
    await app.start()
    const url = httpUrl(app)
    await untilOffered(url, demoFolder)
    await explain(url, demoFolder, io)
    if (options.boot) await boot({ undo, demo: demoFolder, url, app, io })
    // Ends the handling of Ctrl-C by `undo`, because `keep` waits for Ctrl-C itself.
    undo.unwind()
    if (options.keep) await keep(url, io)
  } finally {
    undo.unwind()
    await app.stop()
  }
}

function httpUrl(app: App): string {
  const service = app.serviceLines().find(({ name, open }) => name === 'http' && open)
  if (service?.port === undefined) throw new Failure('internal', 'the demo has no HTTP service')
  return `http://${service.host}:${service.port}`
}

/** Waits until the tree is ready, so that the lookup finds the guest's installation. */
async function untilOffered(url: string, { guest, tree }: DemoFolder): Promise<void> {
  const deadlineMs = Date.now() + 30_000
  for (;;) {
    const response = await fetch(`${url}/api/v1/lookup?guest=${guest}`)
    if (response.ok) return
    const reason = await response.text()
    if (Date.now() > deadlineMs)
      throw new Failure('unavailable', `${tree} is not offered after 30 s: ${reason}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function explain(url: string, { tree, guest }: DemoFolder, io: CliIo): Promise<void> {
  const lookup = `${url}/api/v1/lookup?guest=${guest}`
  const [json, virtInstall, qemu] = await Promise.all(
    ['json', 'virt-install', 'qemu'].map(async (as) => (await fetch(`${lookup}&as=${as}`)).text()),
  )
  const { bold } = pc.createColors(io.color)
  const part = (title: string, text = '') => io.out(`\n${bold(title)}\n${indent(text)}\n`)
  part('The tree, over HTTP', `${url}/trees/${tree}/`)
  part(`What a guest boots  GET ${lookup}`, pretty(json))
  part('Install it with libvirt', seenFromGuest(virtInstall, url))
  part('Or with QEMU alone', seenFromGuest(qemu, url))
  io.out(
    '\n10.0.2.2 is the address of this machine for a guest on the user network of QEMU.' +
      '\nThe commands work only while treeboot runs: npm run demo -- --keep keeps it running.\n',
  )
}

/**
 * A command whose kernel arguments have the URL as the guest sees it. Other URLs are for programs on this
 * machine.
 */
function seenFromGuest(command = '', url: string): string {
  return command.replace(/^.*(?:-append|--install) .*$/gm, (line) =>
    line.replaceAll(url, urlSeenByGuest(url)),
  )
}

function pretty(json = ''): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ')
}

interface DemoBoot {
  readonly undo: UndoStack
  readonly demo: DemoFolder
  readonly url: string
  readonly app: App
  readonly io: CliIo
}

async function boot({ undo, demo, url, app, io }: DemoBoot): Promise<void> {
  const way = chooseWay()
  const { bold } = pc.createColors(io.color)
  if (way.kind === 'none') return io.out(`\nNo machine is booted: ${way.why}.\n`)
  const main = process.argv[1] ?? ''
  const makeMonitor = () => new BootMonitor(io)
  io.out(
    way.kind === 'pxe'
      ? `\n${bold('A machine boots over PXE')}, in its own network namespace: dnsmasq sends it an address, and treeboot sends everything else.\n`
      : `\n${bold('A machine boots the kernel and initrd directly')} (${way.why}).\n`,
  )
  const monitor =
    way.kind === 'pxe'
      ? await bootOverPxe({ undo, demo, makeMonitor }, main)
      : await bootDirectly({ undo, demo, makeMonitor }, url, app.events)
  undo.unwind()
  io.out(`\n${summary(monitor, way.kind)}\n`)
}

function summary(monitor: BootMonitor, way: 'pxe' | 'direct'): string {
  const files = monitor.fetched.map(
    ({ path, protocol }) => `${path.replace(/^\/trees\/.*\//, '')} (${protocol})`,
  )
  const seconds = (monitor.elapsedMs / 1000).toFixed(0)
  const from = way === 'pxe' ? 'power on' : 'start'
  return `The real Debian installer has its answer file, ${seconds} s after ${from}. It fetched: ${files.join(', ')}.\nThe machine and its network were removed.`
}

async function keep(url: string, io: CliIo): Promise<void> {
  io.out(`\nStill serving at ${url}/ until Ctrl-C.\n`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}

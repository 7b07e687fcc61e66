import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Installer, type InstallerArch, obtainInstaller } from '../../../server/cli/demo/installer.ts'
import { startServer } from '../../../server/cli/demo/server.ts'
import { type Child, type Command, run } from '../../../server/emulator/child.ts'
import type { Lan } from '../../../server/emulator/lan.ts'
import { UndoStack } from '../../../server/emulator/undo.ts'
import { type GuestScript, makeGuestInitrd } from './guest-initrd.ts'
import type { LabImages } from './trees.ts'

const root = join(import.meta.dirname, '../../..')
/** The compiled program, as users run it. */
export const treebootMain = join(root, 'dist/server/main.js')

/** Kept between runs: the packages that apt fetched, unpacked, and the initrds made from them. */
export const labCache = join(tmpdir(), 'treeboot-lab')

/** A folder for the test, and the stack of everything that the test removes at its end. */
export interface Bench {
  readonly folder: string
  readonly undo: UndoStack
}

export function makeBench(): Bench {
  const undo = new UndoStack()
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-interop-'))
  undo.push(folder, () => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['trees', 'tftpboot', 'templates', 'data']) mkdirSync(join(folder, name))
  return { folder, undo }
}

/** The real installer, fetched once and kept. Prints a line when it must be fetched. */
export function labInstaller(arch: InstallerArch): Promise<Installer> {
  mkdirSync(labCache, { recursive: true })
  return obtainInstaller(labCache, arch, (line) => console.log(line))
}

/**
 * A small system that stands in for an installation: the installer's kernel, with an initrd of its busybox and
 * modules that runs our script.
 */
export async function guestImages(arch: InstallerArch = 'amd64', script?: GuestScript): Promise<LabImages> {
  const installer = await labInstaller(arch)
  return { kernel: installer.kernel, initrd: makeGuestInitrd(installer, labCache, script) }
}

/** A treeboot as users run it, from the compiled program, on the folders of the bench. */
export interface Treeboot {
  readonly child: Child
  /** `http://192.0.2.1:8080` */
  readonly url: string
  /** The port of each open service, by its name. */
  readonly ports: Readonly<Record<string, number>>
  /** GETs a path, from inside its network. */
  get(path: string): string
  /** Runs a treeboot command with the same configuration, and gives its standard output. */
  command(...args: string[]): string
}

export interface TreebootSettings {
  /** Profiles, guests and whatever else config.yaml takes; paths and services are filled in. */
  readonly config?: Readonly<Record<string, unknown>>
  /** The ids of trees that must be ready before the test continues. */
  readonly trees?: readonly string[]
  /** The network, or the host of it, that the server runs on. */
  readonly lan?: Pick<Lan, 'address' | 'inside'>
}

let built = false

/** Compiles once per test file, which is quick when nothing has changed. */
export function buildTreeboot(): void {
  if (!built) run('npm', '--prefix', root, 'run', '--silent', 'build')
  built = true
}

export async function startTreeboot(bench: Bench, settings: TreebootSettings): Promise<Treeboot> {
  const { lan, config = {}, trees = [] } = settings
  buildTreeboot()
  const file = join(bench.folder, 'config.yaml')
  writeFileSync(file, stringify({ ...services(lan), paths: benchPaths(bench), ...config }))
  const inside = lan?.inside ?? ((command: Command) => command)
  const server = await startServer(bench.undo, treebootMain, file, inside)
  const { host, port } = server.services.http ?? { host: '127.0.0.1', port: 0 }
  const url = `http://${lan?.address ?? host}:${port}`
  const treeboot: Treeboot = {
    child: server.child,
    url,
    ports: Object.fromEntries(Object.entries(server.services).map(([name, service]) => [name, service.port])),
    get: (path) =>
      run(...inside(['curl', '--silent', '--show-error', '--fail', '--max-time', '20', url + path])),
    command: (...args) => run(...inside([process.execPath, treebootMain, ...args, '--config', file])),
  }
  for (const tree of trees) await untilReady(treeboot, tree)
  return treeboot
}

function services(lan: TreebootSettings['lan']): Record<string, unknown> {
  // In a network of its own every standard port is free; on this machine any of them may be in use. A test that
  // needs a service which is off here opens it in its `config`.
  const access = { anonymous: 'viewer' }
  if (lan) return { access, server: { bind: lan.address }, ftp: { enabled: false }, nfs: { enabled: false } }
  const free = { bind: '127.0.0.1', port: 0 }
  return { access, http: free, tftp: free, ftp: free, nfs: { enabled: false } }
}

/** The `paths` of config.yaml for the folders of a bench. */
export function benchPaths({ folder }: Bench): Record<string, string> {
  const at = (name: string) => join(folder, name)
  return { trees: at('trees'), tftpboot: at('tftpboot'), templates: at('templates'), data: at('data') }
}

async function untilReady(treeboot: Treeboot, tree: string): Promise<void> {
  const deadlineMs = Date.now() + 20_000
  for (let last = ''; ; ) {
    try {
      treeboot.get(`/api/v1/lookup?tree=${encodeURIComponent(tree)}`)
      return
    } catch (error) {
      last = String(error)
    }
    if (Date.now() > deadlineMs) {
      throw new Error(`${tree} is not offered after 20 s: ${last}\n${treeboot.child.output.tail()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

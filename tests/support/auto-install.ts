import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { App } from '../../server/app.ts'
import { httpOnly, portOf, quickApp } from './app.ts'
import { treebootIn } from './cli.ts'
import { eventually } from './eventually.ts'
import { keptFolder, makeTree, writeBelow } from './tree-folder.ts'

export const uuids = ['4c4c4544-0042-3510-8052-b4c04f4a3731', '4c4c4544-0042-3510-8052-b4c04f4a3732'] as const
export const mac = (n: number): string => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`

export const profile = (match = '{ mac-prefix: "52:54:00" }', auto = 'install'): string => `profiles:
  lab:
    match: ${match}
    auto: ${auto}
    tree: fedora-40
    template: lab.ks
`

/** Folders in which a server has nothing but a tree and a profile with `auto: install`, and the servers on them. */
export class AutoInstallLab {
  /** The MAC that the machine at 127.0.0.1 really has. */
  neighbour: string | undefined = mac(1)
  home = keptFolder()
  readonly #homes = [this.home]
  #apps: App[] = []

  constructor() {
    this.#fill()
  }

  /** Another folder, and so another store, takes the place of the present one. */
  moveOn(): void {
    this.home = keptFolder()
    this.#homes.push(this.home)
    this.#fill()
  }

  #fill(): void {
    makeTree(join(this.home.path, 'trees/fedora-40'), { version: '40', checksums: false })
    const template = 'url --url={{ tree.url }}\nclearpart --all\n# {{ report_url }}\n'
    writeBelow(this.home.path, 'kickstart-templates/lab.ks', template)
    this.configure()
  }

  configure(text = profile()): void {
    writeBelow(this.home.path, 'config.yaml', httpOnly + text)
  }

  /** The files of guests. */
  files(): string[] {
    const { path } = this.home
    return readdirSync(path).includes('guests.d') ? readdirSync(join(path, 'guests.d')).sort() : []
  }

  treeboot(...args: string[]): ReturnType<typeof treebootIn> {
    return treebootIn(this.home.path, ...args)
  }

  async start(options: { readonly newStore?: 'install' } = { newStore: 'install' }): Promise<App> {
    const app = quickApp({ cwd: this.home.path, macAt: async () => this.neighbour, ...options })
    this.#apps.push(app)
    await app.start()
    await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
    return app
  }

  async stop(): Promise<void> {
    for (const app of this.#apps.splice(0)) await app.stop()
  }

  async end(): Promise<void> {
    await this.stop()
    for (const each of this.#homes) each.remove()
  }
}

/** What is at a path that a loader asks for: `install`, or why the machine boots its disk. */
export async function asks(
  app: App,
  path: string,
  { method = 'GET', agent = 'iPXE/1.21.1' } = {},
): Promise<string> {
  const headers = { 'user-agent': agent }
  const response = await fetch(`http://127.0.0.1:${portOf(app)}${path}`, { method, headers })
  const text = await response.text()
  if (response.status !== 200) return `${response.status} ${text}`
  return text.includes('LABEL install') ? 'install' : (/^SAY treeboot: (.*)$/m.exec(text)?.[1] ?? text)
}

import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { env } from 'node:process'
import { TestRunner } from 'vitest'

/** From a program in PATH, or an absolute path, to the Debian package that has it. */
type ClientPackages = ReadonlyMap<string, string>

/** Parses a list of packages: one package a line, then the programs and files the tests use of it. */
export function parseClientPackages(text: string): ClientPackages {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
  return new Map(lines.flatMap(([name = '', ...uses]) => uses.map((use) => [use, name])))
}

/** The text of all lists below `.ci/packages/`. */
export function readPackageLists(): string {
  const folder = join(import.meta.dirname, '../../.ci/packages')
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('')
}

const packages = parseClientPackages(readPackageLists())

/**
 * The path of a client, or undefined when this machine lacks it. The sbin folders are searched as well,
 * because the PATH of a plain user does not name them.
 */
export function findClient(client: string): string | undefined {
  if (isAbsolute(client)) return existsSync(client) ? client : undefined
  const folders = [...(env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, client)).find(isExecutable)
}

/**
 * Tells why a test cannot run here: the first client that is missing, and its package. Undefined when all are
 * there. Throws when `.ci/packages/` does not list a client, because that is a mistake of the test.
 */
export function missingClient(clients: readonly string[]): string | undefined {
  for (const client of clients) {
    const name = packages.get(client)
    if (name === undefined) throw new Error(`${client} is in no list of .ci/packages/: add it there`)
    if (findClient(client) === undefined) return `${client} is not installed (package ${name})`
  }
  return undefined
}

/**
 * Call it first in a test or in `beforeEach`. When a client is missing, the test is skipped with that reason;
 * under CI, which installs all clients, the test fails. Returns the path of the first client.
 */
export function requireClient(...clients: readonly [string, ...string[]]): string {
  skipWith(missingClient(clients))
  return findClient(clients[0]) ?? clients[0]
}

/** Skips, or fails under CI, a test that makes network namespaces or mounts and does not run as root. */
export function requireRoot(): void {
  skipWith(process.getuid?.() === 0 ? undefined : 'needs root for network namespaces')
}

export function skipWith(reason: string | undefined): void {
  if (reason === undefined) return
  if (env.CI) throw new Error(reason)
  const current = TestRunner.getCurrentTest()
  if (current === undefined) throw new Error(`${reason}; call requireClient in a test or in beforeEach`)
  current.context.skip(reason)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

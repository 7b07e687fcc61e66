import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { env } from 'node:process'
import { TestRunner } from 'vitest'

/** What a test asks for (a program in PATH, or an absolute path) and the Debian package that brings it. */
type ClientPackages = ReadonlyMap<string, string>

/** Reads `.ci/packages`: one package a line, then the programs and files the tests use of it. */
export function parseClientPackages(text: string): ClientPackages {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
  return new Map(lines.flatMap(([name = '', ...uses]) => uses.map((use) => [use, name])))
}

const packages = parseClientPackages(readFileSync(join(import.meta.dirname, '../../.ci/packages'), 'utf8'))

/** Where a client is, or undefined when this machine lacks it. Looks into the sbin folders too: PATH of a plain user has none. */
export function findClient(client: string): string | undefined {
  if (isAbsolute(client)) return existsSync(client) ? client : undefined
  const folders = [...(env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, client)).find(isExecutable)
}

/**
 * Why a test cannot run here: the first client that is missing, and its package. Undefined when all are there.
 * A client that `.ci/packages` does not list is a mistake of the test, and thrown.
 */
export function missingClient(clients: readonly string[]): string | undefined {
  for (const client of clients) {
    const name = packages.get(client)
    if (name === undefined) throw new Error(`${client} is in no line of .ci/packages: add it there`)
    if (findClient(client) === undefined) return `${client} is not installed (package ${name})`
  }
  return undefined
}

/**
 * Call it first in a test or in `beforeEach`: where a client is missing, the test is skipped with that reason,
 * and fails under CI, which installs them all. Gives the path of the first client.
 */
export function requireClient(...clients: readonly [string, ...string[]]): string {
  skipWith(missingClient(clients))
  return findClient(clients[0]) ?? clients[0]
}

/** The same for tests that make network namespaces or mounts. */
export function requireRoot(): void {
  skipWith(process.getuid?.() === 0 ? undefined : 'needs root for network namespaces')
}

function skipWith(reason: string | undefined): void {
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

import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { BootTestMessage } from '../../server/boottest/request.ts'

const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net']

/** Whether this user may have a network namespace, in which each boot test runs. */
export const mayIsolate = spawnSync('unshare', [...namespaces, '--', 'true']).status === 0

/** A program in the place of the process of a boot test: it says what a test tells it to say, and ends with the word `end`. */
export interface BootTestProgram {
  readonly command: readonly ['sh', string]
  say(...messages: BootTestMessage[]): void
  close(): void
}

export function bootTestProgram(folder: string): BootTestProgram {
  const pipe = join(folder, 'boot-test.pipe')
  const script = join(folder, 'boot-test.sh')
  execFileSync('mkfifo', [pipe])
  writeFileSync(
    script,
    `read request\nwhile read -r line; do echo "$line"; case "$line" in *'"end"'*) exit;; esac; done < '${pipe}'\n`,
  )
  // Open for both, it waits for no reader, and what is said stays until one comes.
  const open = openSync(pipe, constants.O_RDWR)
  return {
    command: ['sh', script],
    say(...messages) {
      for (const message of messages) writeSync(open, `${JSON.stringify(message)}\n`)
    },
    close: () => closeSync(open),
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { freePort } from './free-port.ts'

export interface Rsyncd {
  /** `rsync://127.0.0.1:PORT/pub/` */
  readonly url: string
  /** Its log, which names the files that it sent. */
  log(): string
}

/**
 * Serves a folder as the module `pub` until the test ends.
 *
 * @param program Path of rsync.
 * @param scratch A folder for the log and the configuration.
 */
export async function startRsyncd(
  program: string,
  folder: string,
  scratch: string,
  moduleSettings: Readonly<Record<string, string>> = {},
): Promise<Rsyncd> {
  const port = await freePort()
  const log = join(scratch, `rsyncd-${port}.log`)
  const config = join(scratch, `rsyncd-${port}.conf`)
  const settings = {
    'use chroot': 'no',
    uid: String(process.getuid?.() ?? 0),
    gid: String(process.getgid?.() ?? 0),
    address: '127.0.0.1',
    port: String(port),
    'log file': log,
    'transfer logging': 'yes',
    'lock file': join(scratch, `rsyncd-${port}.lock`),
  }
  const text = (of: Readonly<Record<string, string>>) =>
    Object.entries(of)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join('')
  const ofModule = text({ path: folder, 'read only': 'yes', ...moduleSettings })
  writeFileSync(config, `${text(settings)}[pub]\n${ofModule}`)
  writeFileSync(log, '')
  const child: ChildProcess = spawn(program, ['--daemon', '--no-detach', `--config=${config}`], {
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill()
    await ended
  })
  while (!readFileSync(log, 'utf8').includes('listening')) {
    if (child.exitCode !== null) throw new Error(`rsyncd ended: ${readFileSync(log, 'utf8')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { url: `rsync://127.0.0.1:${port}/pub/`, log: () => readFileSync(log, 'utf8') }
}

/** Servers that run in processes of their own beside a benchmark. */

import { type ChildProcess, fork } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'

/** Starts a module that sends its port to its parent once it serves. */
export async function forkServer(
  module: string,
  args: readonly string[],
): Promise<{ port: number; pid: number; stop: () => Promise<void> }> {
  const child = fork(module, args)
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('exit', (code) => reject(new Error(`${module} ended with ${code}`)))
  })
  return { port, pid: child.pid ?? 0, stop: () => stopChild(child) }
}

export interface ApiServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly tokens: readonly string[]
  readonly pid: number
  stop(): Promise<void>
}

/** Starts `peers/api.ts` in a folder that has a configuration. */
export async function startApiServer(cwd: string, tokens: number): Promise<ApiServer> {
  const child = fork(join(import.meta.dirname, '../peers/api.ts'), [cwd, String(tokens)])
  const started = await new Promise<{ readonly port: number; readonly tokens: readonly string[] }>(
    (resolve, reject) => {
      child.once('message', (message) => resolve(message as { port: number; tokens: string[] }))
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    },
  )
  return {
    url: `http://127.0.0.1:${started.port}`,
    tokens: started.tokens,
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  }
}

/** Asks the process to end, and kills it when it has not ended after three seconds. */
export function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.removeAllListeners('exit')
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), 3000).unref()
  })
}

/** Resolves when a TCP port of 127.0.0.1 takes connections; rejects after fifteen seconds. */
export async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

import { fstatSync, writeSync } from 'node:fs'
import { failureMessage } from '../../core/failure.ts'
import { exitCodes } from './io.ts'

/**
 * Makes the function that writes what a command prints.
 *
 * A reader that has seen enough (`treeboot check | head`) ends no command and no server. Output that is lost otherwise is
 * said on standard error, and makes the exit code 1: half a kickstart must not look like a whole one.
 */
export function standardOutput(): (text: string) => void {
  let isLost = false
  const onError = (error: Error): void => {
    if (isLost || ('code' in error && error.code === 'EPIPE')) return
    isLost = true
    process.stderr.write(`treeboot: standard output cannot be written: ${failureMessage(error)}\n`)
    process.once('exit', (code) => {
      if (code === exitCodes.ok) process.exitCode = exitCodes.failed
    })
  }
  process.stdout.on('error', onError)
  // Nobody is left to be told.
  process.stderr.on('error', () => undefined)
  if (!isFile(1)) return (text) => process.stdout.write(text)
  return (text) => {
    try {
      writeWhole(1, text)
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}

/**
 * On a disk that is nearly full a write takes the first part of a text, and the next one fails. process.stdout of Node 20
 * makes only one for a file, and says nothing of what is missing.
 */
function writeWhole(fd: number, text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest))
}

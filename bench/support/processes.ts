/** What the kernel knows of a process that serves. */

import { readFileSync } from 'node:fs'

/** Resident memory. */
export function memoryMiB(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Processor time of all threads, in user and system mode. */
export function processorSeconds(pid: number): number {
  const [, , , , , , , , , , , , , user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(
    ' ',
  )
  return (Number(user) + Number(system)) / 100
}

import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import type { BootTestMessage, BootTestRequest } from '../../boottest/request.ts'
import { failureMessage } from '../../core/failure.ts'
import { type CliIo, exitCodes } from '../output/io.ts'

/** The process of a boot test. Only `boottest/gate.ts` starts it. */
export function registerBootTest(program: Command, io: CliIo): void {
  program
    .command('boot-test', { hidden: true })
    .description('internal: tests a version, as its standard input says')
    .action(() => runBootTest(io))
}

async function runBootTest(io: CliIo): Promise<void> {
  const lines = createInterface({ input: process.stdin })
  const waiting: ((line: string) => void)[] = []
  const next = (): Promise<string> => new Promise((resolve) => waiting.push(resolve))
  const first = next()
  lines.on('line', (line) => waiting.shift()?.(line))
  let isOver = false
  // Who started this process has ended, and nobody waits for the result. SIGTERM runs what is to be undone.
  lines.on('close', () => isOver || process.kill(process.pid, 'SIGTERM'))
  const say = (message: BootTestMessage): void => io.out(`${JSON.stringify(message)}\n`)
  try {
    // Loaded only here: other commands start faster without it.
    const { runTest } = await import('../../boottest/run-test.ts')
    const mayBoot = async (): Promise<void> => {
      const go = next()
      say({ event: 'may-boot' })
      await go
    }
    await runTest(JSON.parse(await first) as BootTestRequest, { say, mayBoot })
  } catch (error) {
    say({ event: 'error', message: failureMessage(error) })
    io.exit(exitCodes.failed)
  } finally {
    isOver = true
    lines.close()
    process.stdin.destroy()
  }
}

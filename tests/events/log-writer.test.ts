import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LogWriter } from '../../server/events/log-writer.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

function opened(path: string, flags: number): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

/** A writer that has ended before its descriptor is closed: callbacks are called from the last to the first. */
function writerTo(fd: number, onLost: (lines: number, why: string) => void): LogWriter {
  const log = new LogWriter({ fd, onLost })
  onTestFinished(() => log.stop())
  return log
}

const onLinux = test.runIf(process.platform === 'linux')

onLinux('a log on a full disk costs lines, and neither ends nor stops the process', async () => {
  const fd = opened('/dev/full', constants.O_WRONLY)
  const log = writerTo(fd, () => undefined)
  for (let n = 0; n < 100; n++) log.write(`${'x'.repeat(99)}\n`)
  await eventually(() => expect(log.trouble).toContain('ENOSPC'))
  log.write('one more\n')
  log.flush()
})

onLinux('a log that was stopped writes nothing into the file that gets its descriptor', async () => {
  const fd = openSync('/dev/full', constants.O_WRONLY)
  const log = writerTo(fd, () => undefined)
  log.write(`${'x'.repeat(9999)}\n`)
  await eventually(() => expect(log.trouble).toContain('ENOSPC'))
  log.stop()
  closeSync(fd)
  const file = join(temporaryFolder(), 'next')
  opened(file, constants.O_CREAT | constants.O_WRONLY)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(readFileSync(file, 'utf8')).toBe('')
})

onLinux('a reader that stands still costs lines beyond a mebibyte, and is told how many', async () => {
  const pipe = join(temporaryFolder(), 'pipe')
  execFileSync('mkfifo', [pipe])
  const reader = opened(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const fd = opened(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
  const log = writerTo(fd, (lines, why) => log.write(`lost ${lines}: ${why}\n`))
  const total = 20_000
  for (let n = 0; n < total; n++) log.write(`${String(n).padStart(99, '.')}\n`)
  await eventually(() => expect(log.trouble).toContain('stood still'))

  let text = ''
  const room = Buffer.alloc(65_536)
  await eventually(() => {
    text += room.toString('latin1', 0, readSync(reader, room))
    expect(text).toMatch(/lost \d+: /)
  }, 30_000)
  const lines = text.trimEnd().split('\n')
  const last = lines.pop()
  expect(last).toBe(`lost ${total - lines.length}: the reader of the log stood still`)
  expect(lines.every((line, n) => line === String(n).padStart(99, '.'))).toBe(true)
  expect(text.length).toBeGreaterThan(2 ** 20 - 200)
})

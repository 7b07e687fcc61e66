import { closeSync, openSync, unlinkSync } from 'node:fs'
import { failureKind } from '../../server/core/failure.ts'
import { takeLock } from '../../server/host/lock.ts'

/**
 * A process for the tests of locks.
 *
 *     node lock-child.ts hold FILE            takes the lock, writes `held` or why not, and goes on holding it
 *     node lock-child.ts rounds FILE WITNESS  takes and releases it 100 times; fails if another one holds it meanwhile
 */
const [mode, file = '', witness = ''] = process.argv.slice(2)
const options = { holderIs: 'works here already' }

if (mode === 'hold') {
  const said = await takeLock(file, options).then(
    () => 'held',
    (error: Error) => error.message,
  )
  process.stdout.write(`${said}\n`)
  if (said === 'held') setInterval(() => undefined, 1000)
} else {
  for (let done = 0; done < 100; ) {
    try {
      const release = await takeLock(file, options)
      // Fails when another process is between these two lines.
      closeSync(openSync(witness, 'wx'))
      await new Promise((resolve) => setImmediate(resolve))
      unlinkSync(witness)
      await release()
      done++
    } catch (error) {
      if (failureKind(error) !== 'conflict') throw error
    }
  }
}

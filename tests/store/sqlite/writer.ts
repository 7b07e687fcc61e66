import { nextState } from '../../../server/core/guest/next-state.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'

/**
 * A process for the tests: arms the guests named on its command line, over and over, and writes a line for each
 * installation (the guest, and its number) only when the store says that it is kept. `node writer.ts DATA TIMES GUEST...`
 */
const [data = '', times = '0', ...guests] = process.argv.slice(2)
const store = await openStore({ data })
for (let n = 0; n < Number(times); n++) {
  await Promise.all(
    guests.map(async (guest) => {
      const atMs = n
      const state = await store.change(guest, (before) => nextState(before, { type: 'install-once' }, atMs))
      process.stdout.write(`${guest} ${state?.install}\n`)
    }),
  )
}
await store.close()

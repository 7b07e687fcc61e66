/**
 * A clock of this process that a parent sets by a message `{ aheadMs }`. Import it before all that may keep `Date.now`.
 */
const realNow = Date.now
let aheadMs = 0
Date.now = () => realNow() + aheadMs
process.on('message', (message: { readonly aheadMs?: number }) => {
  if (message.aheadMs === undefined) return
  aheadMs = message.aheadMs
  process.send?.({ set: aheadMs })
})
// A test that does not set the clock ends the process by a signal, and not by its silence.
process.channel?.unref()

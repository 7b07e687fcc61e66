// RETR: RFC 959 section 4.1.3; with REST: RFC 3659 section 5.

import { defined } from '../../../core/defined.ts'
import { Failure, failureKind, failureMessage } from '../../../core/failure.ts'
import { largeFile } from '../../../events/bus.ts'
import type { CleanPath } from '../../../files/path.ts'
import { sendSpan } from '../../../files/sendfile.ts'
import type { Entry, FileSource, OpenFile } from '../../../files/source.ts'
import { failureReply } from '../line/reply.ts'
import { filesFor, resolvePath } from './namespace.ts'
import { forLoggedIn, reply, type TransferResult, type VerbContext } from './verb.ts'

/** The offset is kept until the next transfer: some clients send PASV between REST and RETR. */
export const rest = forLoggedIn((_state, argument) => {
  const offset = Number(argument)
  if (!/^\d+$/.test(argument) || !Number.isSafeInteger(offset))
    return reply(501, 'REST takes a number of bytes')
  return reply(350, `Will start at byte ${offset}`, { restartAt: offset })
})

export const retr = forLoggedIn(
  async (state, argument, context) => {
    if (argument === '') return reply(501, 'RETR needs a name')
    const path = resolvePath(state, argument)
    const reportServed = servedReporter(path, context)
    const { restartAt: from } = state
    let opened: { entry: Entry; file: OpenFile }
    try {
      opened = await open(path, from, () => filesFor(state, context), context)
    } catch (error) {
      reportServed({ outcome: 'failed', kind: failureKind(error), detail: failureMessage(error), bytes: 0 })
      return failureReply(error, path)
    }
    const { entry, file } = opened
    const { decision } = entry
    const span = { from, length: entry.size - from }
    return {
      title: `Sending ${path} (${span.length} bytes)`,
      async move({ socket, moved }) {
        if (span.length > 0) await entry.claim?.()
        const { events, client } = context
        if (decision) events({ type: 'fetching', who: client, decision })
        if (span.length >= largeFile)
          events({ type: 'sending', protocol: 'ftp', client: client.address, path, size: entry.size })
        return sendSpan(span, file, socket, { pool: context.pool, onBytes: moved })
      },
      end(result) {
        reportServed(result, decision)
        return file.close()
      },
    }
  },
  { restartAt: 0 },
)

/** How often a file is looked up: once more when it was replaced between lookup and opening. */
const openAttempts = 2

async function open(
  path: CleanPath,
  from: number,
  files: () => FileSource,
  { client }: VerbContext,
): Promise<{ entry: Entry; file: OpenFile }> {
  for (let attempt = 1; ; attempt++) {
    const entry = await files().stat(path, client)
    if (entry?.kind !== 'file') throw new Failure('not-found', 'the file does not exist')
    if (from > entry.size)
      throw new Failure('not-found', `asked from byte ${from}; the file has ${entry.size}`)
    try {
      return { entry, file: await entry.open() }
    } catch (error) {
      if (attempt >= openAttempts || failureKind(error) !== 'conflict') throw error
    }
  }
}

/**
 * Makes the function that emits how a RETR ended, with the bytes that were sent. The log and the history are
 * made from this event.
 */
function servedReporter(
  path: CleanPath,
  { events, client }: VerbContext,
): (result: TransferResult, decision?: Entry['decision']) => void {
  const startedMs = performance.now()
  return (result, decision) =>
    events({
      type: 'served',
      protocol: 'ftp',
      client: client.address,
      path,
      ...result,
      ms: performance.now() - startedMs,
      ...defined({ decision }),
      who: client,
    })
}

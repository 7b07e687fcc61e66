// RETR: RFC 959 section 4.1.3; with REST: RFC 3659 section 5.

import { Failure, failureKind, failureMessage } from '../../../core/failure.ts'
import type { CleanPath } from '../../../files/path.ts'
import { sendSpan } from '../../../files/sendfile.ts'
import type { Entry, OpenFile } from '../../../files/source.ts'
import { failureReply } from '../reply.ts'
import type { Session } from '../session.ts'
import { carry, type TransferResult } from '../transfer.ts'
import { forReaders } from './verb.ts'

/** A file that is replaced just now is looked up once more. */
const openAttempts = 2

export const retr = forReaders(async (session, argument) => {
  if (argument === '') return session.reply(501, 'RETR needs a name')
  const from = session.restartAt
  session.restartAt = 0
  const startedMs = performance.now()
  const path = session.path(argument)
  const { decision, ...result } = await send(session, path, from)
  session.means.events({
    type: 'served',
    protocol: 'ftp',
    client: session.who.address,
    path,
    ...result,
    ms: performance.now() - startedMs,
    ...(decision && { decision }),
    who: session.who,
  })
})

async function send(
  session: Session,
  path: CleanPath,
  from: number,
): Promise<TransferResult & Pick<Entry, 'decision'>> {
  let opened: { entry: Entry; file: OpenFile }
  try {
    opened = await open(session, path, from)
  } catch (error) {
    session.send(failureReply(error, path))
    return { outcome: 'failed', kind: failureKind(error), detail: failureMessage(error), bytes: 0 }
  }
  const { entry, file } = opened
  const span = { from, length: entry.size - from }
  try {
    const result = await carry(session, `Sending ${path} (${span.length} bytes)`, async (socket, moved) => {
      if (span.length > 0) await entry.claim?.()
      if (entry.decision)
        session.means.events({ type: 'fetching', who: session.who, decision: entry.decision })
      return sendSpan(span, file, socket, session.means.pool, moved)
    })
    return { ...result, ...(entry.decision && { decision: entry.decision }) }
  } finally {
    await file.close()
  }
}

async function open(
  session: Session,
  path: CleanPath,
  from: number,
): Promise<{ entry: Entry; file: OpenFile }> {
  for (let attempt = 1; ; attempt++) {
    const entry = await session.stat(path)
    if (entry?.kind !== 'file') throw new Failure('not-found', 'there is no such file')
    if (from > entry.size) throw new Failure('not-found', `byte ${from} of a file of ${entry.size}`)
    try {
      return { entry, file: await entry.open() }
    } catch (error) {
      if (attempt >= openAttempts || failureKind(error) !== 'conflict') throw error
    }
  }
}

// STOR, APPE, ALLO: RFC 959 section 4.1.3. STOR and APPE with REST: RFC 3659 section 5.3.

import { setTimeout as delay } from 'node:timers/promises'
import type { UploadFile, WriteFrom } from '../../../files/upload-area.ts'
import type { SessionState } from '../session/state.ts'
import { uploadTarget } from './namespace.ts'
import {
  forAdministrators,
  forReaders,
  reply,
  type Transfer,
  type TransferData,
  type VerbContext,
} from './verb.ts'

/**
 * No space is reserved. But lftp, and some other clients, tell the length of a whole file with it: see
 * `receiveWhole`.
 */
export const allo = forReaders((_state, argument) => {
  const bytes = /^\d+/.exec(argument)?.[0]
  const announcedBytes = bytes === undefined ? undefined : Number(bytes)
  return reply(202, 'No need to reserve space', { announcedBytes })
})

const spent = { restartAt: 0, announcedBytes: undefined }

/** After REST, the bytes before that offset stay as they are: an upload that broke off is resumed. */
export const stor = forAdministrators(
  (state, argument, context) => receive(state, argument, state.restartAt, context),
  spent,
)

export const appe = forAdministrators(
  (state, argument, context) =>
    receive(state, argument, state.restartAt > 0 ? state.restartAt : 'end', context),
  spent,
)

async function receive(
  state: SessionState,
  argument: string,
  from: WriteFrom,
  context: VerbContext,
): Promise<Transfer> {
  const { area, inside, path } = uploadTarget(state, argument, context)
  const file = await area.openForWriting(inside, from)
  const position = from === 'end' ? 0 : from
  const missingBytes = (state.announcedBytes ?? 0) - position
  let isWhole = false
  return {
    title: `Receiving ${path}`,
    async move(data) {
      isWhole = await receiveWhole(file, missingBytes, data)
      // Before 226: a client that asks for the SIZE next, or publishes, must find all of the file.
      if (isWhole) await file.close('complete')
      return isWhole
    },
    async end() {
      if (!isWhole) await file.close('partial')
    },
  }
}

/**
 * Writes what comes, and resolves to whether it is all of the file. In stream mode the end of the data is the
 * end of the file (RFC 959 section 3.4.1). So a client that was killed looks like one that has sent
 * everything, except that few clients announce the length by ALLO.
 */
async function receiveWhole(file: UploadFile, missingBytes: number, data: TransferData): Promise<boolean> {
  const { socket, moved } = data
  let received = 0
  try {
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      await file.write(chunk)
      moved(chunk.length)
      received += chunk.length
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && isBroken(error.code))) throw error
    return false
  }
  return socket.readableEnded && received >= missingBytes && !(await wasKilled(file, data))
}

/** How much later than the data connection the control connection of a killed client may be seen to end. */
const controlEndMs = 5

/**
 * A killed client closes all its connections at the same time, in any order. So while the bytes go to the
 * disk, the control connection is watched for a moment.
 */
async function wasKilled(file: UploadFile, { isClientGone }: TransferData): Promise<boolean> {
  await Promise.all([file.sync(), delay(controlEndMs)])
  return isClientGone()
}

/** The codes of Node for a connection that did not end with the client's FIN. */
function isBroken(code: unknown): boolean {
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT'
  )
}

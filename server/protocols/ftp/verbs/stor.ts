// STOR, APPE, ALLO: RFC 959 section 4.1.3. STOR and APPE with REST: RFC 3659 section 5.3.

import { setTimeout as delay } from 'node:timers/promises'
import type { UploadFile, WriteFrom } from '../../../files/upload-area.ts'
import type { SessionState } from '../session/state.ts'
import { uploadTarget } from './namespace.ts'
import {
  forAdministrators,
  forLoggedIn,
  reply,
  type Transfer,
  type TransferData,
  type VerbContext,
} from './verb.ts'

/**
 * Reserves no space. But lftp and some other clients announce the length of the whole file with ALLO: see
 * `receiveWhole`.
 */
export const allo = forLoggedIn((_state, argument) => {
  const bytes = /^\d+/.exec(argument)?.[0]
  const announcedBytes = bytes === undefined ? undefined : Number(bytes)
  return reply(202, 'No need to reserve space', { announcedBytes })
})

const usedUp = { restartAt: 0, announcedBytes: undefined }

/** After REST, the bytes before that offset stay as they are: an upload that broke off is resumed. */
export const stor = forAdministrators(
  (state, argument, context) => receive(state, argument, state.restartAt, context),
  usedUp,
)

/** After REST it writes from that offset, as STOR does, and not at the end. */
export const appe = forAdministrators(
  (state, argument, context) =>
    receive(state, argument, state.restartAt > 0 ? state.restartAt : 'end', context),
  usedUp,
)

async function receive(
  state: SessionState,
  argument: string,
  from: WriteFrom,
  context: VerbContext,
): Promise<Transfer> {
  const { area, inside, path } = uploadTarget(state, argument, context)
  const file = await area.openForWriting(inside, from)
  // ALLO announces the whole file, also after REST; but before APPE only the bytes to append.
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
 * Writes the bytes that come, and resolves to whether they are the whole file. In stream mode the end of the
 * data is the end of the file (RFC 959 section 3.4.1). So a client that was killed looks like a client that
 * has sent everything, unless ALLO announced the length, which few clients send.
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
    if (!(error instanceof Error && 'code' in error && isBrokenConnection(error.code))) throw error
    return false
  }
  return socket.readableEnded && received >= missingBytes && !(await isClientKilled(file, data))
}

/** How long after the data connection the end of a killed client's control connection may arrive. */
const controlEndMs = 5

/**
 * A killed client closes all its connections at the same time, in any order. So while the bytes go to the
 * disk, the control connection is watched for a moment.
 */
async function isClientKilled(file: UploadFile, { isClientGone }: TransferData): Promise<boolean> {
  await Promise.all([file.sync(), delay(controlEndMs)])
  return isClientGone()
}

/** Whether this code of a Node error says that the connection did not end with the client's FIN. */
function isBrokenConnection(code: unknown): boolean {
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT'
  )
}

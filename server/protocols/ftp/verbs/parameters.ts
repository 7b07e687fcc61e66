// TYPE, MODE, STRU: RFC 959 sections 3.1 and 4.1.2. REST: RFC 3659 section 5. ALLO: RFC 959 section 4.1.3.

import { forReaders } from './verb.ts'

/**
 * A and I are both taken, and bytes go out as they are in both: a tree is the same through every service, and checksums
 * fit. (vsftpd does likewise.) Listings end their lines with CRLF in both.
 */
export const type = forReaders((session, argument) => {
  const wanted = argument.toUpperCase().replace(/\s+/g, ' ').trim()
  if (wanted === 'A' || wanted === 'A N') session.type = 'A'
  else if (wanted === 'I' || wanted === 'L 8' || wanted === 'L8') session.type = 'I'
  else return session.reply(504, 'Only TYPE A, I and L 8')
  session.reply(200, session.type === 'A' ? 'Type is ASCII; bytes are sent as they are' : 'Type is binary')
})

export const mode = forReaders((session, argument) =>
  argument.toUpperCase() === 'S' ? session.reply(200, 'Mode is stream') : session.reply(504, 'Only MODE S'),
)

export const stru = forReaders((session, argument) =>
  argument.toUpperCase() === 'F'
    ? session.reply(200, 'Structure is file')
    : session.reply(504, 'Only STRU F'),
)

/** Kept until the next transfer: some clients send PASV between REST and RETR. */
export const rest = forReaders((session, argument) => {
  const offset = Number(argument)
  if (!/^\d+$/.test(argument) || !Number.isSafeInteger(offset))
    return session.reply(501, 'REST takes a number of bytes')
  session.restartAt = offset
  session.reply(350, `Will start at byte ${offset}`)
})

/** No space is reserved. But lftp, and whoever else sends it, thereby says how long a whole file is: see STOR. */
export const allo = forReaders((session, argument) => {
  const bytes = /^\d+/.exec(argument)?.[0]
  session.announcedBytes = bytes === undefined ? undefined : Number(bytes)
  session.reply(202, 'No need to reserve space')
})

// TYPE, MODE, STRU: RFC 959 sections 3.1 and 4.1.2.

import { forLoggedIn, reply } from './verb.ts'

/**
 * A and I are both accepted, and files are sent unchanged in both, as vsftpd does: a tree is the same through
 * every service, and its checksums hold. Lines of listings end with CRLF in both.
 */
export const type = forLoggedIn((_state, argument) => {
  switch (argument.toUpperCase().replace(/\s+/g, ' ').trim()) {
    case 'A':
    case 'A N':
      return reply(200, 'Type is ASCII; bytes are sent as they are', { type: 'A' })
    case 'I':
    case 'L 8':
    case 'L8':
      return reply(200, 'Type is binary', { type: 'I' })
    default:
      return reply(504, 'Only TYPE A, I and L 8')
  }
})

export const mode = forLoggedIn((_state, argument) =>
  argument.toUpperCase() === 'S' ? reply(200, 'Mode is stream') : reply(504, 'Only MODE S'),
)

export const stru = forLoggedIn((_state, argument) =>
  argument.toUpperCase() === 'F' ? reply(200, 'Structure is file') : reply(504, 'Only STRU F'),
)

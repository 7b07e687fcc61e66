// FEAT, OPTS: RFC 2389, RFC 2640, RFC 3659 section 7.8. HOST: RFC 7151. STAT, HELP, SYST, NOOP: RFC 959 section 4.1.3. CLNT: a custom.

import { factNames, listLine } from '../listing.ts'
import type { Session } from '../session.ts'
import { look } from './list.ts'
import { forAnyone, forReaders } from './verb.ts'

export const feat = forAnyone((session) => {
  const { secure, uploads } = session.means
  const features = [
    ...(secure ? ['AUTH TLS'] : []),
    'CLNT',
    'EPRT',
    'EPSV',
    'HOST',
    'MDTM',
    ...(uploads ? ['MFMT'] : []),
    `MLST ${factNames.map((fact) => `${fact}${session.facts.includes(fact) ? '*' : ''};`).join('')}`,
    ...(secure ? ['PBSZ', 'PROT'] : []),
    'REST STREAM',
    'SIZE',
    'TVFS',
    'UTF8',
  ]
  session.replyLines(211, 'Features', features, 'End')
})

export const opts = forAnyone((session, argument) => {
  const [, what = '', value = ''] = /^(\S+)(?:\s+(.*))?$/.exec(argument) ?? []
  switch (what.toUpperCase()) {
    case 'UTF8':
    case 'UTF-8':
      return /^off$/i.test(value)
        ? session.reply(504, 'Names are in UTF-8, always')
        : session.reply(200, 'Names are in UTF-8')
    case 'MLST': {
      const wanted = value.toLowerCase().split(';')
      session.facts = factNames.filter((fact) => wanted.includes(fact))
      return session.reply(200, `MLST OPTS ${session.facts.map((fact) => `${fact};`).join('')}`)
    }
    default:
      return session.reply(501, 'Only OPTS UTF8 and OPTS MLST')
  }
})

export const stat = forAnyone(async (session, argument) => {
  if (argument === '') return session.replyLines(211, 'treeboot FTP', statusLines(session), 'End')
  if (!session.login) return session.reply(530, 'Log in first, with USER and PASS')
  const found = await look(session, argument)
  if (!found) return
  const nowMs = Date.now()
  const lines = found.entries.map((entry) => listLine(entry, found.access, nowMs))
  session.replyLines(213, `Status of ${found.path}`, lines, 'End')
})

function* statusLines(session: Session): Generator<string> {
  const { transfer } = session
  yield `Connected from ${session.who.address}${session.isSecure ? ', encrypted' : ''}`
  yield session.login ? `Logged in as ${session.user}` : 'Not logged in'
  yield `TYPE: ${session.type}, STRU: F, MODE: S, PROT: ${session.protectsData ? 'P' : 'C'}`
  yield transfer ? `${transfer.title}: ${transfer.bytes} bytes so far` : 'No transfer under way'
}

/** Every client knows how to read the listing of a Unix. */
export const syst = forAnyone((session) => session.reply(215, 'UNIX Type: L8'))

export const noop = forAnyone((session) => session.reply(200, 'Ready'))

export const clnt = forAnyone((session) => session.reply(200, 'Noted'))

/** One namespace for every name we are called by. */
export const host = forAnyone((session, name) => {
  if (session.login) return session.reply(503, 'HOST comes before USER')
  if (name === '') return session.reply(501, 'HOST needs a name')
  session.reply(220, 'The same trees under every name')
})

/** By now the transfer is over: it ended when the line came in (RFC 959 section 4.1.3). */
export const abor = forReaders((session) => {
  session.abortAsked = false
  session.restartAt = 0
  session.data.close()
  session.reply(226, 'No transfer is under way any more')
})

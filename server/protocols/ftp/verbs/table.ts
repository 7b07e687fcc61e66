import { abor, clnt, feat, host, noop, opts, stat, syst } from './about.ts'
import { acct, pass, quit, rein, user } from './access.ts'
import { eprt, epsv, pasv, port } from './data-connection.ts'
import { mdtm, size } from './facts.ts'
import { cdup, cwd, pwd } from './folder.ts'
import { list, mlsd, mlst, nlst } from './list.ts'
import { allo, mode, rest, stru, type } from './parameters.ts'
import { retr } from './retr.ts'
import { auth, ccc, pbsz, prot } from './secure.ts'
import { site } from './site.ts'
import { forAnyone, type Verb } from './verb.ts'
import { appe, dele, mfmt, mkd, rmd, rnfr, rnto, stor } from './write.ts'

/** HELP: RFC 959 section 4.1.3. Here, for it lists the table that it stands in. */
const help = forAnyone((session) =>
  session.replyLines(214, 'These commands are known', [[...verbs.keys()].join(' ')], 'End'),
)

/** Every command this server knows. All others are 502. */
export const verbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  // Who it is
  ['USER', user],
  ['PASS', pass],
  ['ACCT', acct],
  ['REIN', rein],
  ['QUIT', quit],
  ['HOST', host],
  ['AUTH', auth],
  ['PBSZ', pbsz],
  ['PROT', prot],
  ['CCC', ccc],
  // Where, and how
  ['CWD', cwd],
  ['CDUP', cdup],
  ['PWD', pwd],
  ['PASV', pasv],
  ['EPSV', epsv],
  ['PORT', port],
  ['EPRT', eprt],
  ['TYPE', type],
  ['MODE', mode],
  ['STRU', stru],
  ['REST', rest],
  ['ALLO', allo],
  ['OPTS', opts],
  // Reading
  ['SIZE', size],
  ['MDTM', mdtm],
  ['RETR', retr],
  ['LIST', list],
  ['NLST', nlst],
  ['MLSD', mlsd],
  ['MLST', mlst],
  ['ABOR', abor],
  // Writing
  ['STOR', stor],
  ['APPE', appe],
  ['MKD', mkd],
  ['RMD', rmd],
  ['DELE', dele],
  ['RNFR', rnfr],
  ['RNTO', rnto],
  ['MFMT', mfmt],
  ['SITE', site],
  // About the server
  ['FEAT', feat],
  ['STAT', stat],
  ['SYST', syst],
  ['HELP', help],
  ['NOOP', noop],
  ['CLNT', clnt],
])

/** Every command of the FTP service. All other commands get the reply 502. */

import { auth, ccc, pbsz, prot } from './auth-prot.ts'
import { cdup, cwd, pwd } from './cwd-pwd.ts'
import { feat, opts } from './feat-opts.ts'
import { list, nlst } from './list.ts'
import { acct, host, pass, quit, rein, user } from './login.ts'
import { dele, mkd, rmd, rnfr, rnto } from './mkd-dele-rename.ts'
import { mlsd, mlst } from './mlst.ts'
import { eprt, epsv, pasv, port } from './pasv-port.ts'
import { rest, retr } from './retr.ts'
import { site } from './site.ts'
import { mdtm, mfmt, size } from './size-mdtm.ts'
import { stat } from './stat.ts'
import { allo, appe, stor } from './stor.ts'
import { abor, clnt, noop, syst } from './syst-noop-abor.ts'
import { mode, stru, type } from './type-mode-stru.ts'
import { forAnyone, replyLines, type Verb } from './verb.ts'

/** HELP: RFC 959 section 4.1.3. It is here because it lists the table itself. */
const help = forAnyone(() =>
  replyLines(214, 'These commands are known', [[...verbs.keys()].join(' ')], 'End'),
)

export const verbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  // Login and encryption
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
  // The folder, the data connection and its parameters
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
  // Reading. All but RETR are questions: they open no file, and they emit no `served` event.
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

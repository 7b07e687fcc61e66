// FEAT, OPTS: RFC 2389. OPTS UTF8: RFC 2640. OPTS MLST: RFC 3659 section 7.8.

import { factNames } from '../data/listing.ts'
import { forAnyone, reply, replyLines } from './verb.ts'

export const feat = forAnyone(({ facts }, _argument, { secure, uploads }) => {
  const features = [
    ...(secure ? ['AUTH TLS'] : []),
    'CLNT',
    'EPRT',
    'EPSV',
    'HOST',
    'MDTM',
    ...(uploads ? ['MFMT'] : []),
    `MLST ${factNames.map((fact) => `${fact}${facts.includes(fact) ? '*' : ''};`).join('')}`,
    ...(secure ? ['PBSZ', 'PROT'] : []),
    'REST STREAM',
    'SIZE',
    'TVFS',
    'UTF8',
  ]
  return replyLines(211, 'Features', features, 'End')
})

export const opts = forAnyone((_state, argument) => {
  const [, option = '', value = ''] = /^(\S+)(?:\s+(.*))?$/.exec(argument) ?? []
  switch (option.toUpperCase()) {
    case 'UTF8':
    case 'UTF-8':
      return /^off$/i.test(value)
        ? reply(504, 'Names are in UTF-8, always')
        : reply(200, 'Names are in UTF-8')
    case 'MLST': {
      const wanted = value.toLowerCase().split(';')
      const facts = factNames.filter((fact) => wanted.includes(fact))
      return reply(200, `MLST OPTS ${facts.map((fact) => `${fact};`).join('')}`, { facts })
    }
    default:
      return reply(501, 'Only OPTS UTF8 and OPTS MLST')
  }
})

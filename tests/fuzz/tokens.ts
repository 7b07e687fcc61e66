/** What the inputs of a search are made of: the words and signs that mean something to its parser. */

export const imageTokens = [Buffer.alloc(4), Buffer.alloc(4, 0xff), 'CD001', 'CE', 'NM', 'SL', 'CL', 'RR']
export const pathTokens = ['/', '..', '%2e', '%2f', '%00', '\0', '//', '\\', '?', '%', '\u{1f600}', ' ']
export const iniTokens = [
  '[',
  ']',
  '=',
  ':',
  '\n',
  '\n ',
  '%',
  '..',
  '/',
  ',',
  '[general]\n',
  '[checksums]\n',
  '\0',
  '\ufeff',
]
export const xmlTokens = [
  '<',
  '>',
  '"',
  '&',
  '</',
  '<!--',
  ']]>',
  '<![CDATA[',
  '<!DOCTYPE a>',
  '\0',
  '</package>',
  '<a>',
]

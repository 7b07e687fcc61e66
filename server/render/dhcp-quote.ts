import { Failure } from '../core/failure.ts'

/**
 * dnsmasq's configuration (dnsmasq 2.90, option.c) splits a value at commas and knows `\\`-escapes within
 * double quotes only. An address, a host or a URL needs neither; other text is refused.
 */
export function dnsmasqWord(text: string): string {
  return plain(text, 'dnsmasq', /[^\x21-\x7e]|[,"\\#']/)
}

/** A string of ISC dhcpd (4.4, conflex.c): double quotes, with backslash before `"` and `\`. */
export function iscString(text: string): string {
  return `"${plain(text, 'dhcpd.conf', /[^\x20-\x7e]/).replace(/["\\]/g, '\\$&')}"`
}

/** Kea reads JSON. A string inside one of its expressions has single quotes and no escapes. */
export function keaExpressionString(text: string): string {
  return `'${plain(text, 'a Kea expression', /[^\x20-\x7e]|'/)}'`
}

function plain(text: string, where: string, refused: RegExp): string {
  const found = refused.exec(text)
  if (found)
    throw new Failure(
      'bad-request',
      `${JSON.stringify(text)} has ${JSON.stringify(found[0])}, which ${where} cannot hold`,
    )
  return text
}

import { Failure } from '../core/failure.ts'

/**
 * One word of a kickstart command. pykickstart splits a line with Python's `shlex` in POSIX mode, comments
 * on. Within double quotes a backslash escapes `"` and `\`; every other character means itself, even `$` and
 * backquotes. A command cannot continue on the next line, so a line break cannot be written.
 *
 * @throws Failure `bad-request` for control characters other than a tab.
 */
export function kickstartQuote(text: string): string {
  refuseControl(text, 'a kickstart value')
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/**
 * Text for a place that ends with its line and knows no quotes: a value in a preseed file, a package name, a
 * whole line of kickstart. A backslash at the end would pull the next line in (debconf, shells).
 *
 * @throws Failure `bad-request` for control characters, line breaks among them, and for that backslash.
 */
export function oneLine(text: string): string {
  refuseControl(text, 'one line')
  if (text.endsWith('\\'))
    throw new Failure('bad-request', `one line cannot end in a backslash: ${JSON.stringify(text.slice(-80))}`)
  return text
}

function refuseControl(text: string, what: string): void {
  for (const sign of text) {
    const code = sign.codePointAt(0) ?? 0
    if ((code < 0x20 && code !== 0x09) || code === 0x7f)
      throw new Failure(
        'bad-request',
        `${what} cannot hold the control character ${code}: ${JSON.stringify(text.slice(0, 80))}`,
      )
  }
}

/** A command as sent: the verb in capitals, and everything after the one space that ends it. */
export interface Command {
  readonly verb: string
  /** Empty when there is none. Spaces belong to it: a name may begin or end with one. */
  readonly argument: string
}

/** RFC 775 gave the folder commands an X, and some clients never heard that it fell off (RFC 1123 section 4.1.3.1). */
const oldNames: Readonly<Record<string, string>> = {
  XCWD: 'CWD',
  XCUP: 'CDUP',
  XPWD: 'PWD',
  XMKD: 'MKD',
  XRMD: 'RMD',
}

/** A line of the control connection as a command (RFC 959 section 5.3); undefined when it has no verb. */
export function parseCommand(line: string): Command | undefined {
  const [, written = '', argument = ''] = /^\s*([A-Za-z]{1,16})(?: (.*))?$/s.exec(line) ?? []
  if (written === '') return undefined
  const verb = written.toUpperCase()
  return { verb: oldNames[verb] ?? verb, argument }
}

/** A command for a log: nobody's password belongs there, and nothing that moves a terminal's cursor. */
export function describeCommand({ verb, argument }: Command): string {
  if (verb === 'PASS') return 'PASS ***'
  return argument === '' ? verb : `${verb} ${JSON.stringify(argument.slice(0, 200))}`
}

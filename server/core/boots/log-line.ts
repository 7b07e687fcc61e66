/**
 * What a line of an installer's log means for the timeline of its boot. A line is text of a stranger: it becomes words of a
 * step, and nothing else. No line installs, ends or fails a boot.
 */

/** One line, as it came by syslog. */
export interface LogLine {
  /** From 0 (emergency) to 7 (debug), RFC 5424 section 6.2.1. */
  readonly severity: number
  /** The program that wrote it, such as `anaconda`, `main-menu`, `kernel`; '' when the line does not say. */
  readonly program: string
  readonly text: string
}

/** What one line says. */
export interface LogMeaning {
  /** The stage that began, for people: `package 12 of 412`, `partman-base`. */
  readonly stage?: string
  /** What went wrong, in the words of the line. */
  readonly fault?: string
}

/** The lines of one client since they were last looked at. */
export interface LogWords {
  /** The newest line, with its program. */
  readonly words: string
  readonly stage?: string
  readonly fault?: string
}

/** A rule finds a stage in the text of a line. */
interface StageRule {
  readonly form: RegExp
  readonly stage: (match: RegExpExecArray) => string
}

const stageRules: readonly StageRule[] = [
  {
    // Anaconda's payload since yum: `Installing bash.x86_64 (12/412)`. zypper: `Installing: bash-5.2.x86_64 [1/20]`.
    form: /^(?:Installing|Upgrading|Retrieving)\b[^([]{1,200}[([](\d{1,6})\/(\d{1,6})[)\]]/,
    stage: ([, done = '', all = '']) => `package ${Number(done)} of ${Number(all)}`,
  },
  {
    // Anaconda names the exact package in its packaging log, RHEL 8 and later.
    form: /^(?:Installed|Configuring): (\S{1,120})/,
    stage: ([, name = '']) => `package ${name}`,
  },
  {
    // dpkg, by debootstrap and in-target of debian-installer.
    form: /^(Unpacking|Setting up) ([^\s(]{1,120})/,
    stage: ([, what = '', name = '']) => `${what.toLowerCase()} ${name}`,
  },
  {
    // main-menu of debian-installer: `INFO: Menu item 'partman-base' selected`.
    form: /^(?:INFO: )?Menu item '([^']{1,80})' selected/,
    stage: ([, item = '']) => item,
  },
  {
    // finish-install of debian-installer: `info: Running /usr/lib/finish-install.d/94random-seed`.
    form: /^(?:info: )?Running \/usr\/lib\/([\w.-]{1,40}\.d)\/([\w.-]{1,80})/,
    stage: ([, folder = '', name = '']) => `${folder.replace(/\.d$/, '')} ${name}`,
  },
  {
    // curtin and subiquity: `start: cmd-install/stage-extract: ...`.
    form: /^start: ([\w./-]{1,120}): /,
    stage: ([, name = '']) => name,
  },
]

/** Ends of installers, by their own words. The first is Python's, the second Linux', the third main-menu's. */
const faultForms =
  /Traceback \(most recent call last\)|Kernel panic - not syncing|failed with error code \d|^(?:\w+: )?(?:error|fatal|critical)\b[: ]|installation (?:was )?(?:stopped|aborted|failed)|No space left on device|Out of memory: Killed/i

/** RFC 5424 section 6.2.1: error, critical, alert, emergency. */
const errorSeverity = 3
/** The kernel logs as errors what firmware did wrong; only worse is news. */
const criticalSeverity = 2

export function meaningOf({ severity, program, text }: LogLine): LogMeaning {
  const worst = program === 'kernel' ? criticalSeverity : errorSeverity
  if (severity <= worst || faultForms.test(text)) return { fault: faultWords(text) }
  for (const { form, stage } of stageRules) {
    const match = form.exec(text)
    if (match) return { stage: stage(match) }
  }
  return {}
}

/** rsyslog writes a line feed as `#012`. Of a traceback the last line says what happened. */
function faultWords(text: string): string {
  const at = text.indexOf('Traceback (most recent call last)')
  const lines = text.split('#012').filter((line) => line.trim() !== '')
  return at < 0 || lines.length < 2 ? text : `Traceback: ${lines.at(-1)?.trim()}`
}

/** The words of a client after one more line. */
export function withLine(before: LogWords | undefined, line: LogLine): LogWords {
  const { stage = before?.stage, fault = before?.fault } = meaningOf(line)
  const words = line.program === '' ? line.text : `${line.program}: ${line.text}`
  return { words, ...(stage !== undefined && { stage }), ...(fault !== undefined && { fault }) }
}

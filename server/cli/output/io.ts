import type { SettleTimes } from '../../core/tree/settle.ts'
import type { TemplateRenderer } from '../../templates/renderer.ts'

/** The parts of the process that commands use. Tests pass their own, to read what a command prints. */
export interface CliIo {
  /** The result of a command: standard output. */
  out(text: string): void
  /** Problems and progress: standard error. */
  err(text: string): void
  /** Asks the person at the terminal a question for yes or no. Undefined when nobody is there. */
  ask(question: string): Promise<boolean | undefined>
  /** Asks for a password without showing it. Undefined when nobody is there. Without it nobody ever is. */
  askSecret?(question: string): Promise<string | undefined>
  /** Asks for a line of text. Undefined when nobody is there. Without it nobody ever is. */
  askLine?(question: string): Promise<string | undefined>
  /** Sets the exit code; the process ends by itself when its work is done. */
  exit(code: number): void
  /** Whether `out` may carry colours. */
  readonly color: boolean
  /** Whether a person reads `out` on a terminal. Default: false. */
  readonly terminal?: boolean
  readonly cwd: string
  /** Where the digests that commands compute are kept when `paths.data` cannot have them. Without it they are not. */
  readonly cacheFolder?: () => Promise<string | undefined>
  /** Where the tokens of other servers are kept. Without it there is no such place. */
  readonly configFolder?: () => Promise<string | undefined>
  /** The environment of the process, as far as it names a server and a token. Without it there is none. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Default of each time: that of `settleTimes`. */
  readonly settle?: Partial<SettleTimes>
  /** Default: each command that renders starts its own. */
  readonly renderer?: TemplateRenderer
}

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  badInput: 2,
  notFound: 3,
} as const

/** What each exit code says. */
export const exitCodeTexts: Readonly<Record<(typeof exitCodes)[keyof typeof exitCodes], string>> = {
  0: 'success',
  1: 'something failed although the input is right: a port is taken, a disk is full, a server refuses',
  2: 'the input is wrong: usage, configuration, a file that is damaged or makes no sense',
  3: 'what you asked for does not exist, or a list is empty',
}

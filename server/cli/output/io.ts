/** What a command may touch of the process. Commands write through this, so that tests can read what a person would see. */
export interface CliIo {
  /** Answers, for people or pipes: standard output. */
  out(text: string): void
  /** Troubles and progress: standard error. */
  err(text: string): void
  /** Sets the exit code; the process ends by itself when its work is done. */
  exit(code: number): void
  /** Whether `out` may carry colours. */
  readonly color: boolean
  readonly cwd: string
}

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  /** Something went wrong that is nobody's input: a port is taken, a disk is full. */
  failed: 1,
  /** The input is wrong: usage, configuration, a file that is no descriptor. */
  badInput: 2,
  /** Understood, and the answer is "there is none". */
  none: 3,
} as const

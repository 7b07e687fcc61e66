export interface FtpLimits {
  /** Control connections in all, and from one address. A lab behind NAT is one address. */
  readonly sessions: number
  readonly sessionsPerClient: number
  /** A control connection that says nothing, while no transfer runs, is closed. */
  readonly idleMs: number
  /** Until USER and PASS have been accepted, no longer than this. */
  readonly loginMs: number
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number
  /** How long a transfer waits for its data connection. */
  readonly connectMs: number
  /** Wrong passwords in one session, after which it is closed, */
  readonly loginTries: number
  /** and from one address within a minute, after which its passwords are no longer looked at. */
  readonly loginTriesPerMinute: number
  /** Bytes of one command line. */
  readonly lineBytes: number
  /** Commands of one session; who sends more is served later, not refused. */
  readonly commandsPerSecond: number
  /** Commands that were sent ahead. With more of them waiting we stop reading. */
  readonly queuedCommands: number
  /** How long `stop` lets running transfers go on. */
  readonly stopMs: number
}

export const defaultLimits: FtpLimits = {
  sessions: 2000,
  sessionsPerClient: 256,
  idleMs: 300_000,
  loginMs: 60_000,
  stallMs: 120_000,
  connectMs: 30_000,
  loginTries: 3,
  loginTriesPerMinute: 10,
  lineBytes: 8192,
  commandsPerSecond: 500,
  queuedCommands: 64,
  stopMs: 3_000,
}

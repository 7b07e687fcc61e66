/** A door that can be opened and closed. `app.ts` starts them all and prints one line for each. */
export interface Listener {
  /** Short name for the start-up table, the log and the metrics: `http`, `tftp`, ... */
  readonly name: string
  /** Binds its sockets. Rejects with a Failure that names address, port and remedy. */
  start(): Promise<void>
  /** Stops taking new work, lets running transfers end for a moment, then closes. Safe to call twice. */
  stop(): Promise<void>
  /** Where it really listens, once started. */
  readonly address: ListenAddress | undefined
  /** For the start-up table, once started: what a client must be told besides the address; '' when nothing. */
  readonly hint?: string
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

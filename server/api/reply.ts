/** A handler's response, which the router sends. Without `json` and `text` it has no body. */
export interface Reply<Json = unknown> {
  /** Default: 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: Json
  readonly text?: string
}

import type { App } from '../../server/app.ts'
import type { Role, Scope } from '../../server/core/access/access.ts'

/** A token of a new account with this role. Without `scopes` it may do all that the role may. */
export async function makeToken(app: App, role: Role, ...scopes: Scope[]): Promise<string> {
  const name = `${role}-${count++}`
  const by = { account: 'test', from: 'test' }
  await app.accounts.addAccount({ name, role, password: 'a long password' }, by)
  const wanted = { name: 'test', role, ...(scopes.length > 0 && { scopes }) }
  return (await app.accounts.makeToken({ kind: 'account', account: name, role }, wanted, by)).token
}

let count = 1

export interface ApiResponse {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads out of it is what it asserts
  readonly body: any
}

export type Ask = (
  method: string,
  path: string,
  options?: {
    readonly json?: unknown
    readonly body?: string | Uint8Array<ArrayBuffer>
    readonly headers?: Record<string, string>
  },
) => Promise<ApiResponse>

/** Asks the API of a server with a token. */
export function asking(base: () => string, token: () => string): Ask {
  return async (method, path, { json, body, headers = {} } = {}) => {
    const sent = json === undefined ? body : JSON.stringify(json)
    const response = await fetch(`${base()}${path}`, {
      method,
      headers: {
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(token() !== '' && { authorization: `Bearer ${token()}` }),
        ...headers,
      },
      ...(sent !== undefined && { body: sent }),
    })
    // A stream does not end by itself.
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (isStream) await response.body?.cancel()
    const text = isStream ? '' : await response.text()
    const isJson = /[/+]json\b(?!l)/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
    }
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The token that a server makes at its first start. `home` is the folder of its configuration. */
export function firstToken(home: string): string {
  return readFileSync(join(home, 'data/admin-token'), 'utf8').trim()
}

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
  options?: { readonly json?: unknown; readonly body?: string; readonly headers?: Record<string, string> },
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
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    }
  }
}

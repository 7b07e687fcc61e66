import type { CustomFetchOptions } from 'openid-client'
import { Failure } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'

const { bytes: mostBytes } = upstreamLimits.openIdProvider

/** `fetch`, which reads no more of a response than an OpenID provider has to say. */
export async function boundedFetch(
  url: string,
  { body: sent, ...options }: CustomFetchOptions,
): Promise<Response> {
  const { status, headers, body } = await fetch(url, {
    ...options,
    ...(sent !== undefined && { body: sent }),
  } as RequestInit)
  if (body === null) return new Response(null, { status, headers })
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > mostBytes)
      throw new Failure('unavailable', `a response of the provider has more than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return new Response(Buffer.concat(chunks), { status, headers })
}

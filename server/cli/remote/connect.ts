import { Failure } from '../../core/failure.ts'
import type { CommonOptions } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import type { ApiClient, Credentials } from './client.ts'
import { KeptTokens } from './kept-tokens.ts'

/** The variables that name a server and a token. */
export const serverVariable = 'TREEBOOT_SERVER'
export const tokenVariable = 'TREEBOOT_TOKEN'

/** The server that a command is to ask; undefined for one that works on the files of this machine. */
export async function serverOf(options: CommonOptions, io: CliIo): Promise<ApiClient | undefined> {
  const { server } = options
  if (server === undefined) return undefined
  const credentials = credentialsIn(io.environment) ?? (await keptCredentials(server, io))
  return connect(server, { credentials })
}

/** Loaded only here: commands on this machine start faster without the route table. */
export async function connect(
  url: string,
  more: {
    readonly credentials?: Credentials | undefined
    readonly session?: Readonly<Record<string, string>>
  },
): Promise<ApiClient> {
  const { ApiClient } = await import('./client.ts')
  return new ApiClient({ url, ...more })
}

function credentialsIn(environment: CliIo['environment'] = {}): Credentials | undefined {
  const token = environment[tokenVariable]?.trim() ?? ''
  if (token === '') return undefined
  // Anything else cannot be sent in a header, and is no token.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Failure('bad-request', `${tokenVariable} has blanks or other characters that no token has`)
  return { token, from: tokenVariable }
}

async function keptCredentials(server: string, io: CliIo): Promise<Credentials | undefined> {
  const kept = await new KeptTokens(io).of(server)
  return kept && { token: kept.token, from: kept.file }
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Accounts } from '../accounts/accounts.ts'
import type { Config } from '../config/schema.ts'
import type { Actor } from '../core/access/audit.ts'
import { bracketed } from '../core/net/address.ts'
import { cliRequester, expectedServices } from './cli-requester.ts'

/** The URL by which a browser reaches the server, as far as a command can know. */
export function webBase(config: Config): string {
  if (config.server.url !== undefined) return config.server.url
  const { http } = expectedServices(config)
  const { localAddress = 'localhost' } = cliRequester(config)
  return `http://${bracketed(localAddress)}:${http?.port ?? config.http.port}`
}

/**
 * At the start of a server: while there is no account, somebody must be able to make the first one. On a terminal a new
 * link is shown at each start; otherwise it lies in a file, and stays.
 *
 * @returns What to tell the operator; undefined when there is an account. A log gets no more than the name of the file.
 */
export async function setupAtStart(
  accounts: Accounts,
  { base, data, shown }: { readonly base: string; readonly data: string; readonly shown: boolean },
): Promise<string | undefined> {
  if ((await accounts.accounts()).length > 0) return undefined
  const kept = join(data, 'setup-link')
  const isKept = !shown && (await accounts.isSetupOpen()) && (await textOf(kept)).startsWith(base)
  if (isKept) return inFile(kept)
  const { link, file } = await accounts.setupLink({ base, shown }, server)
  return file === undefined
    ? `No account yet. Within an hour this makes the first one: ${link}`
    : inFile(file)
}

const server: Actor = { account: 'treeboot itself', from: 'start of the server' }

function inFile(file: string): string {
  return `no account yet: the link in ${file} makes the first one`
}

/** Empty for a file that is not there. */
function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

import { type Command, Option } from 'commander'
import type { Accounts } from '../../accounts/accounts.ts'
import { tokenJson } from '../../api/access-views.ts'
import type { TokenBody } from '../../api/types.ts'
import { type Role, roles, type Scope, scopes } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { momentOf, readAccounts, withAccounts } from '../access.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, localTimeOf, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'

const help = `
A token is a password for one program. It may do what its role may, narrowed to its scopes if it has some, and never more
than its account may now. It ends with its account, and what was made with it ends with it. Send it as
"Authorization: Bearer TOKEN".

  treeboot tokens add ci --account anna --role operator --scope uploads --expires 90d`

interface AddOptions extends CommonOptions {
  readonly account?: string
  readonly role: Role
  readonly scope?: readonly Scope[]
  readonly expires?: string
}

interface OfOptions extends CommonOptions {
  readonly account?: string
}

/** `treeboot tokens`: passwords for programs. */
export function registerTokens(program: Command, io: CliIo): void {
  const tokens = program
    .command('tokens')
    .description('list the tokens of programs, and make and revoke them with the commands below')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action((options: OfOptions) => list(options, io))
  const verb = (name: string, about: string) =>
    tokens.command(name).description(about).addOption(configOption()).addOption(jsonOption())
  // The group has the same options, and commander stores their values there: hence `optsWithGlobals`.
  verb('list', 'list the tokens')
    .option('--account <name>', 'those of one account')
    .action((_: unknown, command: Command) => list(command.optsWithGlobals(), io))
  verb('add', 'make a token and print it: nobody can see it again')
    .argument('<name>', 'what it is for, such as ci')
    .option('--account <name>', 'the account that it belongs to; with --server always that of your token')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
    .addOption(
      new Option(
        '--scope <scope...>',
        'narrow it to these; without one it may all that its role may',
      ).choices(scopes),
    )
    .option('--expires <when>', 'such as 90d, 12h or 2027-01-31 (default: never)')
    .action((name: string, _: unknown, command: Command) => add(name, command.optsWithGlobals(), io))
  verb('rm', 'revoke a token, and those that were made with it')
    .argument('<name>', 'the name of a token')
    .option(
      '--account <name>',
      'the account that it belongs to; needed when several have a token of this name',
    )
    .action((name: string, _: unknown, command: Command) => remove(name, command.optsWithGlobals(), io))
}

async function list(options: OfOptions, io: CliIo): Promise<void> {
  const all = await tokensOf(options, io)
  if (options.json) io.out(json(all))
  else if (all.length === 0)
    io.out('no tokens: treeboot tokens add NAME --account ACCOUNT --role ROLE makes one\n')
  else io.out(tokenTable(all))
  if (all.length === 0) io.exit(exitCodes.notFound)
}

async function tokensOf(options: OfOptions, io: CliIo): Promise<readonly TokenBody[]> {
  const { account } = options
  const server = await serverOf(options, io)
  if (server) return server.all('listTokens', { query: defined({ account }) })
  return readAccounts(options, io, async ({ accounts }) => (await accounts.tokens(account)).map(tokenJson))
}

function tokenTable(all: readonly TokenBody[]): string {
  const rows = all.map((token) => [
    token.account,
    token.name,
    roleText(token),
    token.scopes?.join(' ') ?? 'all of its role',
    expiryText(token),
    token.lastUsed === null ? 'never' : `${localTimeOf(token.lastUsed)} from ${token.lastFrom}`,
  ])
  return table([['ACCOUNT', 'TOKEN', 'ROLE', 'SCOPES', 'EXPIRES', 'LAST USED'], ...rows])
}

/** What it is worth now, and what it was made with where that is another. */
function roleText({ role, roleNow, expired }: TokenBody): string {
  if (expired || roleNow === role) return role
  return roleNow === null ? `none (${role})` : `${roleNow} (${role})`
}

function expiryText({ expires, expired }: TokenBody): string {
  if (expires === null) return 'never'
  return expired ? 'expired' : localTimeOf(expires)
}

async function add(name: string, options: AddOptions, io: CliIo): Promise<void> {
  const { role, scope: scopes } = options
  const expires = options.expires === undefined ? undefined : momentOf('--expires', options.expires, 1)
  const wanted = { name, role, ...defined({ scopes, expires }) }
  const server = await serverOf(options, io)
  const { token, ...view } = server
    ? await addAt(server, options.account, wanted)
    : await addHere(wanted, options, io)
  if (options.json) return io.out(json({ ...view, token }))
  io.out(`${token}\n`)
  io.err('Nobody can see this token again. "treeboot tokens list" shows where it is used.\n')
}

interface WantedToken {
  readonly name: string
  readonly role: Role
  readonly scopes?: readonly Scope[]
  /** Milliseconds since 1970. */
  readonly expires?: number
}

type MadeToken = TokenBody & { readonly token: string }

/** A server makes tokens of whoever asks it. */
async function addAt(
  server: ApiClient,
  account: string | undefined,
  { expires, scopes, ...wanted }: WantedToken,
): Promise<MadeToken> {
  const caller = await server.call('getSession', {})
  if (account !== undefined && account !== caller.account)
    throw new Failure(
      'unsupported',
      `${server.url} makes tokens of ${caller.account}, whose token asks it: sign in as ${account}, or run this beside the server`,
    )
  const end = expires === undefined ? undefined : new Date(expires).toISOString()
  const body = { ...wanted, ...defined({ expires: end, scopes: scopes && [...scopes] }) }
  return server.call('createToken', { body })
}

async function addHere(wanted: WantedToken, options: AddOptions, io: CliIo): Promise<MadeToken> {
  const { account } = options
  if (account === undefined) throw new Failure('bad-request', 'say whose it is: --account NAME')
  return withAccounts(options, io, async ({ accounts, by }) => {
    const owner = await ownerOf(accounts, account)
    // Whoever may write the store may do everything, and still a token is never more than its account.
    const maker = { kind: 'account', account: owner.name, role: owner.role } as const
    const { token, ...view } = await accounts.makeToken(maker, wanted, by)
    return { ...tokenJson(view), token }
  })
}

async function ownerOf(accounts: Accounts, name: string) {
  // Throws for a name that is none, and names the nearest.
  await accounts.sessions(name)
  const owner = (await accounts.accounts()).find((account) => account.name === name)
  if (!owner) throw new Failure('not-found', `no account ${name}`)
  return owner
}

async function remove(name: string, options: OfOptions, io: CliIo): Promise<void> {
  const account = options.account ?? onlyOwner(await tokensOf(options, io), name)
  const server = await serverOf(options, io)
  if (server) await removeAt(server, account, name)
  else await withAccounts(options, io, ({ accounts, by }) => accounts.revokeToken(account, name, by))
  io.out(options.json ? json({ account, name }) : `${name} of ${account}: revoked\n`)
}

/** Only an admin ends the tokens of others. */
async function removeAt(server: ApiClient, account: string, name: string): Promise<void> {
  const caller = await server.call('getSession', {})
  if (caller.account === account) await server.call('deleteToken', { params: { name } })
  else await server.call('deleteAccountToken', { params: { name: account, token: name } })
}

function onlyOwner(all: readonly TokenBody[], name: string): string {
  const owners = all.filter((token) => token.name === name).map(({ account }) => account)
  const [first] = owners
  if (first === undefined)
    throw new Failure('not-found', `no account has a token ${name}; "treeboot tokens list" shows the tokens`)
  if (owners.length > 1)
    throw new Failure('bad-request', `${owners.join(', ')} have a token ${name}; say whose: --account NAME`)
  return first
}

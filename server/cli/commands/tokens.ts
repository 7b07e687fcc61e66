import { type Command, Option } from 'commander'
import type { Accounts } from '../../accounts/accounts.ts'
import type { TokenView } from '../../accounts/views.ts'
import { type Role, roles, type Scope, scopes } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { isoOrNull, momentOf, readAccounts, withAccounts } from '../access.ts'
import { localTime } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'

const help = `
A token is a password for one program. It may do what its role may, narrowed to its scopes if it has some, and never more
than its account may now. It ends with its account, and what was made with it ends with it. Send it as
"Authorization: Bearer TOKEN".

  treeboot tokens add ci --account anna --role operator --scope uploads --expires 90d`

interface AddOptions extends CommonOptions {
  readonly account: string
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
    .requiredOption('--account <name>', 'the account that it belongs to')
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
  const all = await readAccounts(options, io, ({ accounts }) => accounts.tokens(options.account))
  if (options.json) io.out(json(all.map(tokenJson)))
  else if (all.length === 0)
    io.out('no tokens: treeboot tokens add NAME --account ACCOUNT --role ROLE makes one\n')
  else io.out(tokenTable(all))
  if (all.length === 0) io.exit(exitCodes.notFound)
}

function tokenTable(all: readonly TokenView[]): string {
  const rows = all.map((token) => [
    token.account,
    token.name,
    roleText(token),
    token.scopes?.join(' ') ?? 'all of its role',
    expiryText(token),
    token.lastUsedMs === undefined ? 'never' : `${localTime(token.lastUsedMs)} from ${token.lastFrom}`,
  ])
  return table([['ACCOUNT', 'TOKEN', 'ROLE', 'SCOPES', 'EXPIRES', 'LAST USED'], ...rows])
}

/** What it is worth now, and what it was made with where that is another. */
function roleText({ role, roleNow, expired }: TokenView): string {
  if (expired || roleNow === role) return role
  return roleNow === undefined ? `none (${role})` : `${roleNow} (${role})`
}

function expiryText({ expiresMs, expired }: TokenView): string {
  if (expiresMs === undefined) return 'never'
  return expired ? 'expired' : localTime(expiresMs)
}

function tokenJson({
  createdMs,
  expiresMs,
  lastUsedMs,
  lastFrom,
  ...token
}: TokenView): Record<string, unknown> {
  return {
    ...token,
    roleNow: token.roleNow ?? null,
    scopes: token.scopes ?? null,
    created: isoOrNull(createdMs),
    expires: isoOrNull(expiresMs),
    lastUsed: isoOrNull(lastUsedMs),
    lastFrom: lastFrom ?? null,
  }
}

async function add(name: string, options: AddOptions, io: CliIo): Promise<void> {
  const { account, role, scope: narrowed } = options
  const expires = options.expires === undefined ? undefined : momentOf('--expires', options.expires, 1)
  const made = await withAccounts(options, io, async ({ accounts, by }) => {
    const owner = await ownerOf(accounts, account)
    // Whoever may write the store may do everything, and still a token is never more than its account.
    const wanted = { name, role, ...defined({ scopes: narrowed, expires }) }
    return accounts.makeToken({ kind: 'account', account: owner.name, role: owner.role }, wanted, by)
  })
  const { token, ...view } = made
  if (options.json) return io.out(json({ ...tokenJson(view), token }))
  io.out(`${token}\n`)
  io.err('Nobody can see this token again. "treeboot tokens list" shows where it is used.\n')
}

async function ownerOf(accounts: Accounts, name: string) {
  // Throws for a name that is none, and names the nearest.
  await accounts.sessions(name)
  const owner = (await accounts.accounts()).find((account) => account.name === name)
  if (!owner) throw new Failure('not-found', `no account ${name}`)
  return owner
}

async function remove(name: string, options: OfOptions, io: CliIo): Promise<void> {
  const account = await withAccounts(options, io, async ({ accounts, by }) => {
    const owner = options.account ?? (await onlyOwner(accounts, name))
    await accounts.revokeToken(owner, name, by)
    return owner
  })
  io.out(options.json ? json({ account, name }) : `${name} of ${account}: revoked\n`)
}

async function onlyOwner(accounts: Accounts, name: string): Promise<string> {
  const owners = (await accounts.tokens())
    .filter((token) => token.name === name)
    .map(({ account }) => account)
  const [first] = owners
  if (first === undefined)
    throw new Failure('not-found', `no account has a token ${name}; "treeboot tokens list" shows the tokens`)
  if (owners.length > 1)
    throw new Failure('bad-request', `${owners.join(', ')} have a token ${name}; say whose: --account NAME`)
  return first
}

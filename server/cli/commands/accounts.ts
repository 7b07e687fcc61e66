import { type Command, Option } from 'commander'
import { accountJson, sessionJson } from '../../api/access-views.ts'
import type { AccountBody, SessionBody } from '../../api/types.ts'
import { type Role, roles } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { passwordFor, readAccounts, withAccounts } from '../access.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json, localTimeOf, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { webBase } from '../setup-link.ts'

const help = `
viewer reads. operator also changes guests, profiles, templates, mirrors and uploads, and orders installations. admin also
has accounts, tokens of others and the audit. A running server follows each change with its next request.
Whoever may write the data folder may run these commands: they ask for no password of yours. With --server they need a token
of the role admin.`

const passwordHelp = `
Without --password-file it asks at the terminal, and shows nothing. A password has at least 12 characters.`

interface AddOptions extends CommonOptions {
  readonly role: Role
  readonly passwordFile?: string
}

interface SetOptions extends CommonOptions {
  readonly role?: Role
  readonly password?: boolean
  readonly passwordFile?: string
  readonly disable?: boolean
  readonly enable?: boolean
}

interface SessionsOptions extends CommonOptions {
  readonly end?: boolean
}

interface SetupLinkOptions extends CommonOptions {
  readonly revoke?: boolean
}

const roleOption = () => new Option('--role <role>', 'what the account may do').choices(roles)
const passwordFileOption = () =>
  new Option('--password-file <file>', 'a file with the password, such as /dev/stdin')

/** `treeboot accounts`: who may come in. */
export function registerAccounts(program: Command, io: CliIo): void {
  const accounts = program
    .command('accounts')
    .description('list the accounts, and change them with the commands below')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action((options: CommonOptions) => list(options, io))
  const verb = (name: string, about: string) =>
    accounts.command(name).description(about).addOption(configOption()).addOption(jsonOption())
  // The group has the same options, and commander stores their values there: hence `optsWithGlobals`.
  verb('list', 'list the accounts').action((_: unknown, command: Command) =>
    list(command.optsWithGlobals(), io),
  )
  verb('add', 'make an account')
    .argument('<name>', 'letters, digits, dots, dashes, underscores and @')
    .addOption(roleOption().makeOptionMandatory())
    .addOption(passwordFileOption())
    .addHelpText('after', passwordHelp)
    .action((name: string, _: unknown, command: Command) => add(name, command.optsWithGlobals(), io))
  verb('set', 'change an account: a new password, or --disable, ends its sessions')
    .argument('<name>', 'the name of an account')
    .addOption(roleOption())
    .option('--password', 'ask at the terminal for a new password')
    .addOption(passwordFileOption())
    .addOption(new Option('--disable', 'nobody signs in with it, and its tokens sleep').conflicts('enable'))
    .option('--enable', 'the opposite')
    .action((name: string, _: unknown, command: Command) => set(name, command.optsWithGlobals(), io))
  verb('rm', 'remove an account with its tokens and sessions')
    .argument('<name>', 'the name of an account')
    .action((name: string, _: unknown, command: Command) => remove(name, command.optsWithGlobals(), io))
  verb('sessions', 'list where somebody is signed in')
    .argument('<name>', 'the name of an account')
    .option('--end', 'end all of them: the person has to sign in again')
    .action((name: string, _: unknown, command: Command) => sessions(name, command.optsWithGlobals(), io))
  verb('setup-link', 'make a link by which a browser makes an admin, once and within an hour')
    .option('--revoke', 'make none, and take the present one back')
    .addHelpText(
      'after',
      `
On a terminal it prints the link, and the hour begins. Otherwise it writes the link to the file setup-link of the data
folder, which only its owner may read, and the hour begins when somebody opens /setup. An earlier link is worth nothing then.`,
    )
    .action((_: unknown, command: Command) => setupLink(command.optsWithGlobals(), io))
}

async function list(options: CommonOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const all = server
    ? await server.all('listAccounts', {})
    : await readAccounts(options, io, async ({ accounts }) => (await accounts.accounts()).map(accountJson))
  if (options.json) io.out(json(all))
  else if (all.length === 0) io.out('no accounts yet: treeboot accounts add NAME --role admin makes one\n')
  else io.out(accountTable(all))
  if (all.length === 0) io.exit(exitCodes.notFound)
}

function accountTable(all: readonly AccountBody[]): string {
  const rows = all.map((account) => [
    account.name,
    account.disabled ? `${account.role}, disabled` : account.role,
    String(account.sessions),
    String(account.tokens),
    account.lastSignIn === null ? '-' : localTimeOf(account.lastSignIn),
  ])
  return table([['ACCOUNT', 'ROLE', 'SESSIONS', 'TOKENS', 'LAST SIGN-IN'], ...rows])
}

async function add(name: string, options: AddOptions, io: CliIo): Promise<void> {
  const { role } = options
  const server = await serverOf(options, io)
  if (server)
    await server.call('createAccount', {
      body: { name, role, password: await passwordFor(name, options, io) },
    })
  else
    await withAccounts(options, io, async ({ accounts, by }) => {
      await accounts.addAccount({ name, role, password: await passwordFor(name, options, io) }, by)
    })
  said({ name, role }, `${name} is ${role} now`, { options, io })
}

async function set(name: string, options: SetOptions, io: CliIo): Promise<void> {
  const { role, password: asks, passwordFile, disable, enable } = options
  const isNothing = [role, asks, passwordFile, disable, enable].every((each) => each === undefined)
  if (isNothing)
    throw new Failure(
      'bad-request',
      'nothing to set: give --role, --password, --password-file, --disable or --enable',
    )
  const wanted = async () => {
    const changesPassword = asks === true || passwordFile !== undefined
    const password = changesPassword ? await passwordFor(name, options, io) : undefined
    const disabled = disable || enable ? disable === true : undefined
    return defined({ role, password, disabled })
  }
  const server = await serverOf(options, io)
  // A name that is none is told before a password is typed.
  if (server) {
    await server.call('getAccount', { params: { name } })
    await server.call('patchAccount', { params: { name }, body: await wanted() })
  } else
    await withAccounts(options, io, async ({ accounts, by }) => {
      await accounts.sessions(name)
      await accounts.setAccount(name, await wanted(), by)
    })
  said({ name }, `${name}: changed`, { options, io })
}

async function remove(name: string, options: CommonOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  if (server) await server.call('deleteAccount', { params: { name } })
  else await withAccounts(options, io, ({ accounts, by }) => accounts.removeAccount(name, by))
  said({ name }, `${name}: removed, with its tokens and sessions`, { options, io })
}

async function sessions(name: string, options: SessionsOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  if (options.end) {
    const ended = server
      ? await endSessions(server, name)
      : await withAccounts(options, io, ({ accounts, by }) => accounts.revokeSessions(name, by))
    return said({ name, ended }, `${name}: ${count(ended, 'session')} ended`, { options, io })
  }
  const all = server
    ? await server.all('listSessions', { params: { name } })
    : await readAccounts(options, io, async ({ accounts }) =>
        (await accounts.sessions(name)).map(sessionJson),
      )
  if (options.json) io.out(json(all))
  else if (all.length === 0) io.out(`${name} is not signed in\n`)
  else io.out(sessionTable(all))
}

/** How many there were when they were ended: the server itself does not say it. */
async function endSessions(server: ApiClient, name: string): Promise<number> {
  const all = await server.all('listSessions', { params: { name } })
  await server.call('deleteSessions', { params: { name } })
  return all.length
}

function sessionTable(all: readonly SessionBody[]): string {
  const rows = all.map(({ reference, created, lastUsed, from }) => [
    reference,
    localTimeOf(created),
    localTimeOf(lastUsed),
    from,
  ])
  return table([['SESSION', 'SINCE', 'LAST USED', 'ADDRESS'], ...rows])
}

async function setupLink(options: SetupLinkOptions, io: CliIo): Promise<void> {
  await withAccounts(options, io, async ({ accounts, config, by }) => {
    if (options.revoke) {
      const revoked = await accounts.revokeSetupLink(by)
      return said(
        { revoked },
        revoked ? 'the setup link is worth nothing any more' : 'there is no setup link',
        {
          options,
          io,
        },
      )
    }
    const shown = io.terminal === true
    const { link, file } = await accounts.setupLink({ base: webBase(config), shown }, by)
    if (file === undefined)
      said({ link }, `${link}\nIt makes one admin, once, within an hour.`, { options, io })
    else said({ file }, `${file} has the link; its hour begins when somebody opens /setup`, { options, io })
  })
}

/** The reply of a command that changed something. */
function said(
  value: unknown,
  text: string,
  { options, io }: { readonly options: CommonOptions; readonly io: CliIo },
): void {
  io.out(options.json ? json(value) : `${text}\n`)
}

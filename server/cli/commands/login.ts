import { hostname } from 'node:os'
import { type Command, Option } from 'commander'
import { type Role, roles } from '../../core/access/access.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { dateText, json } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { connect, serverVariable } from '../remote/connect.ts'
import { type KeptToken, KeptTokens } from '../remote/kept-tokens.ts'
import { serverUrl } from '../remote/server-url.ts'

interface LoginOptions {
  readonly name?: string
  readonly role?: Role
  readonly json?: boolean
}

const tokenDays = 30

/** `treeboot login` and `logout`: the token by which commands ask another machine's server. */
export function registerLogin(program: Command, io: CliIo): void {
  program
    .command('login')
    .description('sign in at a server, and keep a token for commands with --server')
    .argument('<url>', 'the URL of the server, such as http://mirror:8080')
    .option('--name <account>', 'the name of the account (default: it asks)')
    .addOption(
      new Option('--role <role>', 'what the token may do (default: all that you may)').choices(roles),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
It asks for name and password at the terminal, and shows no password. The token lasts ${tokenDays} days, has the name of this
machine, and lies in a file that only you can read. Programs need no login: they have a token in TREEBOOT_TOKEN.`,
    )
    .action((url: string, options: LoginOptions) => login(serverUrl(url), options, io))
  program
    .command('logout')
    .description('end the token that login has made, and forget it')
    .argument('[url]', 'the URL of the server (default: the one where you are signed in)')
    .addOption(jsonOption())
    .action((url: string | undefined, options: LoginOptions) => logout(url, options, io))
}

async function login(url: string, options: LoginOptions, io: CliIo): Promise<void> {
  const tokens = new KeptTokens(io)
  // Told before anything is asked.
  await tokens.place()
  const before = await tokens.of(url)
  const account = options.name ?? (await answered(io.askLine?.(`name at ${url}: `)))
  const password = await answered(io.askSecret?.(`password of ${account}: `))
  const signedIn = await sessionAt(url, account, password)
  try {
    const made = await makeToken(signedIn, options, before)
    const { name, token, role, expires } = made
    const file = await tokens.keep(url, { token, account: made.account, name })
    const until = expires === null ? 'for ever' : `until ${dateText(Date.parse(expires))}`
    if (options.json) io.out(json({ server: url, account: made.account, name, role, expires, file }))
    else io.out(`${made.account} (${role}) at ${url} ${until}; the token ${name} is in ${file}\n`)
  } finally {
    await signedIn.client.call('signOut', {}).catch(() => undefined)
  }
}

async function answered(reply: Promise<string | undefined> | undefined): Promise<string> {
  const text = await reply
  if (text !== undefined && text !== '') return text
  throw new Failure(
    'bad-request',
    text === ''
      ? 'nothing was typed; nobody was signed in'
      : 'there is no terminal to ask at; make a token on the server with "treeboot tokens add", and set TREEBOOT_TOKEN to it',
  )
}

interface SignedIn {
  readonly client: ApiClient
  readonly role: Role
}

async function sessionAt(url: string, name: string, password: string): Promise<SignedIn> {
  const { answer, headers } = await (await connect(url, { session: {} })).exchange('signIn', {
    body: { name, password },
  })
  const [cookie = ''] = headers.getSetCookie().map((each) => each.split(';')[0] ?? '')
  const session = { Cookie: cookie, 'X-CSRF-Token': answer.csrf ?? '' }
  return { client: await connect(url, { session }), role: answer.role }
}

/** A token of this name that an earlier login has kept here is replaced; that of another machine or user stays. */
async function makeToken({ client, role }: SignedIn, options: LoginOptions, before: KeptToken | undefined) {
  const expires = new Date(Date.now() + tokenDays * 86_400_000).toISOString()
  const names = tokenNames()
  for (const [index, name] of names.entries())
    try {
      if (before?.name === name) await client.call('deleteToken', { params: { name } }).catch(() => undefined)
      return await client.call('createToken', { body: { name, role: options.role ?? role, expires } })
    } catch (error) {
      const isTaken = error instanceof Failure && error.kind === 'conflict'
      if (!isTaken || index === names.length - 1) throw error
    }
  throw new Failure('internal', 'there is no name for a token')
}

/** The name of this machine in the letters of token names, and with a number where that is taken. */
function tokenNames(): readonly string[] {
  const name = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60)
  const plain = name || 'treeboot'
  return [plain, ...[2, 3, 4, 5, 6, 7, 8, 9].map((number) => `${plain}-${number}`)]
}

async function logout(given: string | undefined, options: LoginOptions, io: CliIo): Promise<void> {
  const tokens = new KeptTokens(io)
  const url = given === undefined ? await onlyServer(tokens, io) : serverUrl(given)
  const kept = await tokens.of(url)
  if (!kept) throw new Failure('not-found', `no token of ${url} is kept here; nothing was changed`)
  const client = await connect(url, { credentials: { token: kept.token, from: kept.file } })
  const ended = await client.call('deleteToken', { params: { name: kept.name } }).then(
    () => true,
    (error: unknown) => {
      // One that is worth nothing any more needs no end.
      if (error instanceof Failure && error.kind === 'unauthenticated') return true
      io.err(`warning: the token ${kept.name} is not ended there: ${failureMessage(error)}\n`)
      return false
    },
  )
  await tokens.forget(url)
  if (options.json) io.out(json({ server: url, name: kept.name, ended }))
  else
    io.out(`signed out at ${url}: the token ${kept.name} is forgotten${ended ? ', and ended there' : ''}\n`)
}

async function onlyServer(tokens: KeptTokens, io: CliIo): Promise<string> {
  const named = io.environment?.[serverVariable]
  if (named) return serverUrl(named)
  const servers = await tokens.servers()
  const [first] = servers
  if (first !== undefined && servers.length === 1) return first
  throw first === undefined
    ? new Failure('not-found', 'you are signed in nowhere')
    : new Failure('bad-request', `name the server: you are signed in at ${servers.join(', ')}`)
}

import { createInterface } from 'node:readline/promises'
import { Command, CommanderError } from 'commander'
import { problemOfError } from '../api/problem.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { registerAccounts } from './commands/accounts.ts'
import { registerAudit } from './commands/audit.ts'
import { registerBootTest } from './commands/boot-test.ts'
import { registerBoots } from './commands/boots.ts'
import { registerCheck } from './commands/check.ts'
import { registerConfigSchema } from './commands/config-schema.ts'
import { registerDemo } from './commands/demo.ts'
import { registerDhcpConfig } from './commands/dhcp-config.ts'
import { registerExplain } from './commands/explain.ts'
import { registerGuests } from './commands/guests.ts'
import { registerHelp } from './commands/help.ts'
import { registerImport } from './commands/import.ts'
import { registerInbox } from './commands/inbox.ts'
import { registerInspect } from './commands/inspect.ts'
import { registerInstall } from './commands/install.ts'
import { registerJobs } from './commands/jobs.ts'
import { registerLoaders } from './commands/loaders.ts'
import { registerLogin } from './commands/login.ts'
import { registerLookup } from './commands/lookup.ts'
import { registerMirror } from './commands/mirror.ts'
import { registerMirrors } from './commands/mirrors.ts'
import { registerProfiles } from './commands/profiles.ts'
import { registerRender } from './commands/render.ts'
import { registerServe } from './commands/serve.ts'
import { registerTemplates } from './commands/templates.ts'
import { registerTokens } from './commands/tokens.ts'
import { registerTrees } from './commands/trees.ts'
import { registerTry } from './commands/try.ts'
import { registerVerify } from './commands/verify.ts'
import { registerWatch } from './commands/watch.ts'
import { allCommands, forEveryCommand, type RunIo } from './every-command.ts'
import { askSecretAtTerminal } from './output/ask-secret.ts'
import { inCommandWords } from './output/command-words.ts'
import { type CliIo, exitCodes } from './output/io.ts'
import { standardOutput } from './output/standard-output.ts'
import { serverSentence } from './remote/served.ts'

import { userCacheFolder, userConfigFolder } from './user-cache.ts'

import { packageVersion } from './version.ts'

const epilogue = `
Exit codes: 0 success; 1 something failed; 2 the input is wrong; 3 what you asked for does not exist ("treeboot help exit-codes").
Most commands take --json to print JSON for programs, and -c FILE to use another configuration than ./config.yaml.
${wrapped(serverSentence())}
treeboot COMMAND --help explains one command.`

/** In lines of at most 120 characters. */
function wrapped(text: string): string {
  return text.replace(/(.{1,120})(?: |$)/g, '$1\n').trimEnd()
}

/** Runs one command line and resolves to its exit code. */
export async function runCli(args: readonly string[], io: CliIo = processIo()): Promise<number> {
  let code: number = exitCodes.ok
  const inner: CliIo = {
    ...io,
    exit(wanted) {
      code = wanted
      io.exit(wanted)
    },
  }
  const asJson = wantsJson(args)
  // What commander says of wrong options: with --json it becomes a document.
  const said: string[] = []
  const usage = asJson ? (text: string) => void said.push(text) : io.err
  try {
    await createProgram(inner, usage).parseAsync([...args], { from: 'user' })
  } catch (error) {
    // Commander throws this where it would end the process, also after --help. It has printed its message.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok
      const [message = ''] = said
      if (asJson) tell(new Failure('bad-request', message.replace(/^error: /, '').trim()), io, asJson)
      return exitCodes.badInput
    }
    tell(error, io, asJson)
    return error instanceof Failure ? codeOf(error) : exitCodes.failed
  }
  return code
}

/** Before the words are parsed: also a mistake in them is told as JSON. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? undefined : end).includes('--json')
}

/**
 * Tells why a command failed on standard error: with --json as a problem document (RFC 9457) of one line, which is the
 * last one there. Standard output has results only.
 */
function tell(thrown: unknown, io: CliIo, asJson: boolean): void {
  const error = inCommandWords(thrown)
  io.err(asJson ? `${JSON.stringify(problemOfError(error))}\n` : `treeboot: ${failureMessage(error)}\n`)
  // The message of a system error names the call and the path. Any other error is a fault of treeboot: its
  // stack shows where.
  const isFault = error instanceof Error && !(error instanceof Failure) && !isSystemError(error)
  if (isFault && !asJson) io.err(`${error.stack ?? ''}\n`)
}

function codeOf({ kind }: Failure): number {
  if (kind === 'not-found') return exitCodes.notFound
  return kind === 'bad-request' || kind === 'invalid-data' ? exitCodes.badInput : exitCodes.failed
}

/**
 * Whether the operating system reported this error: a full disk, a missing permission, an unreachable
 * network.
 */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** @param usage Gets what is wrong with the words of a command. */
export function createProgram(outer: CliIo, usage: (text: string) => void = outer.err): Command {
  const io: RunIo = { ...outer }
  const program = new Command('treeboot')
    .description('A mirror of installation trees that boots machines from them over the network.')
    .version(packageVersion(), '-V, --version')
    // After a command, --version is an option of the command: the version of a tree, for example.
    .enablePositionalOptions()
    .configureOutput({ writeOut: io.out, writeErr: usage })
    .showSuggestionAfterError()
    .showHelpAfterError('(treeboot --help shows the commands)')
    .addHelpText('after', epilogue)
    .exitOverride()
  const registrations = [
    registerServe,
    registerCheck,
    registerConfigSchema,
    registerTrees,
    registerInspect,
    registerImport,
    registerMirror,
    registerVerify,
    registerLookup,
    registerGuests,
    registerProfiles,
    registerTemplates,
    registerMirrors,
    registerJobs,
    registerInstall,
    registerInbox,
    registerBoots,
    registerWatch,
    registerExplain,
    registerTry,
    registerRender,
    registerLoaders,
    registerDhcpConfig,
    registerAccounts,
    registerTokens,
    registerAudit,
    registerLogin,
    registerDemo,
    registerBootTest,
  ]
  for (const register of registrations) register(program, io)
  registerHelp(program, io)
  forEveryCommand(program, io)
  // A mistake in the options of a command is followed by the help of that command.
  for (const command of allCommands(program)) command.showHelpAfterError()
  return program
}

function processIo(): CliIo {
  const out = standardOutput()
  return {
    out,
    err: (text) => process.stderr.write(text),
    ask: askAtTerminal,
    askLine: askLineAtTerminal,
    askSecret: askSecretAtTerminal,
    terminal: process.stdout.isTTY === true,
    exit: () => {}, // `runCli` returns the code, and main.ts sets it.
    color: process.stdout.isTTY === true && !process.env.NO_COLOR,
    cwd: process.cwd(),
    cacheFolder: () => userCacheFolder(process.env),
    configFolder: () => userConfigFolder(process.env),
    environment: process.env,
  }
}

async function askAtTerminal(question: string): Promise<boolean | undefined> {
  const reply = await askLineAtTerminal(question)
  return reply === undefined ? undefined : /^y(?:es)?$/i.test(reply)
}

async function askLineAtTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await terminal.question(question)).trim()
  } finally {
    terminal.close()
  }
}

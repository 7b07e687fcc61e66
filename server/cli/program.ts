import { Command, CommanderError } from 'commander'
import { Failure, failureMessage } from '../core/failure.ts'
import { registerCheck } from './commands/check.ts'
import { registerDemo } from './commands/demo.ts'
import { registerDhcpConfig } from './commands/dhcp-config.ts'
import { registerExplain } from './commands/explain.ts'
import { registerGuests } from './commands/guests.ts'
import { registerImport } from './commands/import.ts'
import { registerInbox } from './commands/inbox.ts'
import { registerInspect } from './commands/inspect.ts'
import { registerInstall } from './commands/install.ts'
import { registerLoaders } from './commands/loaders.ts'
import { registerLookup } from './commands/lookup.ts'
import { registerMirror } from './commands/mirror.ts'
import { registerRender } from './commands/render.ts'
import { registerServe } from './commands/serve.ts'
import { registerTrees } from './commands/trees.ts'
import { registerVerify } from './commands/verify.ts'
import { type CliIo, exitCodes } from './output/io.ts'
import { packageVersion } from './version.ts'

const epilogue = `
Exit codes: 0 all is well; 1 something failed; 2 the input is wrong; 3 understood, and there is none.
--json is for machines, -c FILE for another configuration than ./config.yaml; COMMAND --help says more.`

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
  try {
    await createProgram(inner).parseAsync([...args], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput
    inner.err(`treeboot: ${failureMessage(error)}\n`)
    if (!(error instanceof Failure)) {
      // The system's own words name the call and the path; where in our code that was helps nobody.
      if (!isSystemError(error)) inner.err(`${error instanceof Error ? (error.stack ?? '') : ''}\n`)
      return exitCodes.failed
    }
    return error.kind === 'bad-request' || error.kind === 'invalid-data'
      ? exitCodes.badInput
      : error.kind === 'not-found'
        ? exitCodes.none
        : exitCodes.failed
  }
  return code
}

/** A full disk, a file that may not be read, a network that is not there. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

export function createProgram(io: CliIo): Command {
  const program = new Command('treeboot')
    .description(
      'Installation-tree mirror and network boot server: one folder of trees, every way of installing from them.',
    )
    .version(packageVersion(), '-V, --version')
    // Behind a command, --version is the command's own: of a tree, for example.
    .enablePositionalOptions()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showSuggestionAfterError()
    .showHelpAfterError('(treeboot --help shows the commands)')
    .addHelpText('after', epilogue)
    .exitOverride()
  const registrations = [
    registerServe,
    registerCheck,
    registerTrees,
    registerInspect,
    registerImport,
    registerMirror,
    registerVerify,
    registerLookup,
    registerGuests,
    registerInstall,
    registerInbox,
    registerExplain,
    registerRender,
    registerLoaders,
    registerDhcpConfig,
    registerDemo,
  ]
  for (const register of registrations) register(program, io)
  for (const command of program.commands) command.exitOverride().showHelpAfterError()
  return program
}

function processIo(): CliIo {
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    exit: () => {},
    color: process.stdout.isTTY === true && !process.env.NO_COLOR,
    cwd: process.cwd(),
  }
}

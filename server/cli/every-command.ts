import { type Command, Option } from 'commander'
import { Failure } from '../core/failure.ts'
import type { CliIo } from './output/io.ts'
import { serverVariable } from './remote/connect.ts'
import { servingOf } from './remote/served.ts'
import { serverUrl } from './remote/server-url.ts'

/** What a run of a command may change of its surroundings. */
export type RunIo = { -readonly [Key in keyof CliIo]: CliIo[Key] }

interface EveryOptions {
  readonly server?: string
  readonly quiet?: boolean
  readonly color?: boolean
}

/** Gives every command the options that all have: `--server`, `--quiet` and `--no-color`. */
export function forEveryCommand(program: Command, io: RunIo): void {
  for (const command of [program, ...allCommands(program)]) {
    const words = wordsOf(command)
    // A command that cannot ask a server says so when it is to, and need not offer it.
    const kind = servingOf(words)?.kind
    const asks = words === '' || kind === 'served' || kind === 'server-only'
    command.addOption(serverOption().hideHelp(!asks))
    command.option('-q, --quiet', 'print no notes, warnings and progress')
    // Without a default commander sets true, which the message that repeats a command would take for an option.
    command.addOption(new Option('--no-color', 'print no colours; NO_COLOR=1 does the same').default(null))
  }
  program.hook('preAction', (_, command) => {
    const options: EveryOptions = command.optsWithGlobals()
    // The default of a group would hide what was said to its command, and the other way round.
    if ([...ancestry(command)].some((each) => each.opts<EveryOptions>().color === false)) io.color = false
    if (options.quiet) io.err = () => undefined
    const server = serverFor(command, io)
    if (server !== undefined) command.setOptionValueWithSource('server', server, 'implied')
    // A value of the group would win.
    for (const each of ancestry(command))
      if (each !== command && each.getOptionValue('server') !== undefined)
        each.setOptionValue('server', server)
  })
}

function serverOption(): Option {
  return new Option(
    '--server <url>',
    `ask the server at this URL, and no files here (${serverVariable} does the same; treeboot login gets a token)`,
  )
}

/**
 * The URL of the server that a command is to ask; undefined for the files of this machine.
 *
 * @throws Failure for a command that cannot ask one.
 */
function serverFor(command: Command, { environment = {} }: CliIo): string | undefined {
  const { server: given } = command.optsWithGlobals<EveryOptions>()
  const namesFiles = command.getOptionValueSourceWithGlobals('config') === 'cli'
  if (given !== undefined && namesFiles)
    throw new Failure('bad-request', '--config names files of this machine, and --server another: give one')
  const server = given ?? (namesFiles ? undefined : environment[serverVariable] || undefined)
  const words = wordsOf(command)
  const serving = servingOf(words)
  if (server === undefined && serving?.kind === 'server-only')
    throw new Failure(
      'bad-request',
      `treeboot ${words} is about what a running server does: name it with --server http://mirror:8080, or set ${serverVariable}`,
    )
  if (server === undefined) return undefined
  if (serving?.kind === 'served' || serving?.kind === 'server-only') return serverUrl(server)
  if (serving?.kind === 'beside')
    throw new Failure('unsupported', `treeboot ${words} cannot ask a server (${server}): ${serving.remedy}`)
  if (given !== undefined) throw new Failure('bad-request', `treeboot ${words} has no use for --server`)
  return undefined
}

/** `guests show`; '' for the program itself. */
export function wordsOf(command: Command): string {
  return [...ancestry(command)]
    .slice(0, -1)
    .map((each) => each.name())
    .reverse()
    .join(' ')
}

/** The command, its group and the program. */
function* ancestry(command: Command): Generator<Command, void, undefined> {
  for (let each: Command | null = command; each; each = each.parent) yield each
}

export function allCommands(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...allCommands(each)])
}

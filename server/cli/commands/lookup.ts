import { type Command, Option } from 'commander'
import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { lookup, lookupResultJson } from '../../core/lookup/lookup.ts'
import { parseLookupQuery } from '../../core/lookup/query.ts'
import { notesOf } from '../../core/lookup/result.ts'
import { formats, isFormat, renderPlan } from '../../render/render.ts'
import { inputsForGuest } from '../answers.ts'
import { cliInputs } from '../cli-requester.ts'
import { readStoredStates } from '../guest-store.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
  warnIfUnverified,
} from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'

interface LookupOptions extends CommonOptions, VerifyOption {
  readonly as: string
  readonly [query: string]: unknown
}

const help = `
Examples:
  treeboot lookup --distro fedora --arch x86_64          the newest released Fedora, as JSON
  treeboot lookup --guest web01 --as virt-install        the command that installs web01
  eval "$(treeboot lookup --tree fedora-40 --as env)"    kernel, initrd and arguments as shell variables`

export function registerLookup(program: Command, io: CliIo): void {
  program
    .command('lookup')
    .description('print kernel, initrd and arguments of a tree or a guest, as GET /api/v1/lookup does')
    .option('--tree <id>', 'one tree, by its id')
    .option('--distro <name>', 'fedora, rhel, debian, ...')
    .option(
      '--version <version>',
      'the newest version that begins with this number: 40, 9, 9.4; or a name: rawhide, sid',
    )
    .option('--variant <name>', 'Server, Everything, ...')
    .option('--arch <arch>', 'x86_64, aarch64, ...')
    .option('--guest <name>', 'what this guest would boot')
    .option('--mac <mac>', 'the guest with this MAC address')
    .option('--uuid <uuid>', 'the guest with this UUID')
    .option('--virt <type>', 'hvm (full virtualization, bare metal) or pv (Xen paravirtualization)')
    .addOption(new Option('--as <format>', 'how to print it').choices(formats).default('json'))
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action((options: LookupOptions) => runLookup(options, io))
}

/** A parameter of the lookup as an option of this command, for messages. */
function asOption(key: string, value?: string): string {
  return value === undefined ? `--${key}` : `--${key} ${value}`
}

/** The options that are not part of the question. */
const otherOptions: ReadonlySet<string> = new Set([
  'config',
  'json',
  'as',
  'verify',
  'server',
  'quiet',
  'color',
])

async function runLookup(options: LookupOptions, io: CliIo): Promise<void> {
  const { as } = options
  const query = Object.fromEntries(Object.entries(options).filter(([key]) => !otherOptions.has(key)))
  const asked = parseLookupQuery(query, asOption)
  const server = await serverOf(options, io)
  const { notes, text } = server ? await lookUpAt(server, query, as) : await lookUpHere(asked, options, io)
  // Standard output is for scripts.
  for (const note of notes) io.err(`treeboot: note: ${note}\n`)
  io.out(text)
}

interface LookedUp {
  readonly notes: readonly string[]
  readonly text: string
}

const notesForm = z.looseObject({ notes: z.array(z.string()) })

/** The notes are in the JSON alone. */
async function lookUpAt(server: ApiClient, query: Record<string, unknown>, as: string): Promise<LookedUp> {
  const asked = query as Record<string, string>
  const result: unknown = JSON.parse(await server.call('lookUp', { query: { ...asked, as: 'json' } }))
  const { notes } = notesForm.parse(result)
  if (as === 'json') return { notes, text: json(result) }
  return { notes, text: await server.call('lookUp', { query: { ...asked, as } }) }
}

async function lookUpHere(
  asked: ReturnType<typeof parseLookupQuery>,
  { config, as, verify }: LookupOptions,
  io: CliIo,
): Promise<LookedUp> {
  // `json` is not used: --as says the format, and its default is JSON.
  const current = await readSnapshot(defined({ config, verify }), io)
  // Only guests have a history: a lookup of a tree does not need the store.
  const stored = asked.guest && (await readStoredStates(current, io))
  const guest = stored && asked.guest && stored.snapshot.guests.match(asked.guest)?.guest
  const inputs = guest ? await inputsForGuest(guest, stored, io) : cliInputs(current)
  const result = lookup(asked, inputs)
  if (!result.found) {
    const near = result.nearest.length > 0 ? `; nearest: ${result.nearest.join(', ')}` : ''
    throw new Failure('not-found', `${result.why}${near}`)
  }
  warnIfUnverified(result.plan.tree, io)
  // Unlike `renderPlan`, this JSON also has the other trees that matched.
  const text = as === 'json' || !isFormat(as) ? json(lookupResultJson(result)) : renderPlan(result.plan, as)
  return { notes: notesOf(result.plan), text }
}

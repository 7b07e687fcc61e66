import { type Command, Option } from 'commander'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import {
  type Exported,
  type ExportFormat,
  exportFormats,
  exportGuests,
} from '../../definitions/export/export-guests.ts'
import { FolderDefinitions } from '../../definitions/folder-definitions.ts'
import { guestNamed } from '../guest-store.ts'
import { type CommonOptions, configOption, readSnapshot, withoutVerify } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { count } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'

interface ExportOptions extends CommonOptions {
  readonly as: ExportFormat
  readonly list?: boolean
  readonly host?: string
  readonly withSecrets?: boolean
}

const help = `
CSV and JSON have the definitions as they are written, without what they inherit. The inventory has the variables that a guest
has in all, ansible_host (its ip), and a group for each profile. "treeboot guests import" reads the CSV.

Examples:
  treeboot guests export > guests.csv
  treeboot guests export --as json web01 web02
  treeboot guests export --as ansible > inventory.yaml
A dynamic inventory is an executable file with these lines:
  #!/bin/sh
  exec treeboot guests export -c /srv/treeboot/config.yaml --as ansible "$@"`

export function registerGuestsExport(guests: Command, io: CliIo): void {
  guests
    .command('export')
    .description('print the guests as CSV, JSON or an inventory of Ansible')
    .argument('[guests...]', 'their names (default: all)')
    .addOption(new Option('--as <format>', 'the format').choices(exportFormats).default('csv'))
    .option('--list', 'with --as ansible: the JSON that Ansible expects of an inventory script')
    .option('--host <guest>', 'with --as ansible: the variables of one guest, as JSON')
    .option(
      '--with-secrets',
      'do not leave out variables and arguments that look like passwords, hashes, keys or tokens',
    )
    .addOption(configOption())
    .addHelpText('after', help)
    .action((names: string[], _: unknown, command: Command) =>
      exportAll(names, command.optsWithGlobals(), io),
    )
}

async function exportAll(names: readonly string[], options: ExportOptions, io: CliIo): Promise<void> {
  const { as, list, host } = options
  if (as !== 'ansible' && (list || host !== undefined))
    throw new Failure('bad-request', '--list and --host belong to --as ansible')
  const { text, left } = await exportedText(names, options, io)
  io.out(text)
  if (left > 0) io.err(`${count(left, 'secret')} left out; --with-secrets prints them\n`)
}

async function exportedText(names: readonly string[], options: ExportOptions, io: CliIo): Promise<Exported> {
  const { as, list, host, withSecrets, config } = options
  const server = await serverOf(options, io)
  if (server) {
    const guest = names.length === 0 ? undefined : [...names]
    const query = {
      as,
      ...defined({ host, guest }),
      ...(list && { list: 'true' }),
      ...(withSecrets && { 'with-secrets': 'true' }),
    }
    const { answer, headers } = await server.exchange('exportGuests', { query })
    return { text: answer, left: Number(headers.get('treeboot-secrets-left-out') ?? 0) }
  }
  const snapshot = await readSnapshot(withoutVerify(options), io)
  const wanted = host === undefined ? names : [host]
  return exportGuests(defined({ as, list, host, withSecrets }), {
    definitions: new FolderDefinitions(defined({ file: config, cwd: io.cwd })),
    guests: wanted.length === 0 ? snapshot.guests.all : wanted.map((name) => guestNamed(snapshot, name)),
    profiles: snapshot.profiles,
  })
}

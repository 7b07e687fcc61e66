import { type Command, Option } from 'commander'
import type { Snapshot } from '../../catalog/snapshot.ts'
import type { YamlMapping, YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { guestsCsv, type NamedData } from '../../definitions/csv-guests.ts'
import {
  type AnsibleHost,
  ansibleHost,
  ansibleList,
  ansibleYaml,
  type ProfileParents,
} from '../../definitions/export/ansible.ts'
import { FolderDefinitions } from '../../definitions/folder-definitions.ts'
import { publicVars, withoutSecrets } from '../../definitions/secrets.ts'
import { guestNamed } from '../guest-store.ts'
import { type CommonOptions, configOption, readSnapshot, withoutVerify } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { count, json } from '../output/table.ts'

interface ExportOptions extends CommonOptions {
  readonly as: 'csv' | 'json' | 'ansible'
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
    .addOption(new Option('--as <format>', 'the format').choices(['csv', 'json', 'ansible']).default('csv'))
    .option('--list', 'with --as ansible: the JSON that Ansible expects of an inventory script')
    .option('--host <guest>', 'with --as ansible: the variables of one guest, as JSON')
    .option(
      '--with-secrets',
      'do not leave out variables and arguments that look like passwords, hashes, keys or tokens',
    )
    .addOption(configOption())
    .addHelpText('after', help)
    .action((names: string[], _: unknown, command: Command) =>
      exportGuests(names, command.optsWithGlobals(), io),
    )
}

async function exportGuests(names: readonly string[], options: ExportOptions, io: CliIo): Promise<void> {
  const { as, list, host } = options
  if (as !== 'ansible' && (list || host !== undefined))
    throw new Failure('bad-request', '--list and --host belong to --as ansible')
  const snapshot = await readSnapshot(withoutVerify(options), io)
  const all = host === undefined ? names : [host]
  const guests = all.length === 0 ? snapshot.guests.all : all.map((name) => guestNamed(snapshot, name))
  const secrets = { left: 0 }
  const print = as === 'ansible' ? inventoryText : definitionsText
  io.out(await print({ guests, snapshot, options, io, secrets }))
  if (secrets.left > 0) io.err(`${count(secrets.left, 'secret')} left out; --with-secrets prints them\n`)
}

interface Exported {
  readonly guests: readonly Guest[]
  readonly snapshot: Snapshot
  readonly options: ExportOptions
  readonly io: CliIo
  /** How many were left out. */
  readonly secrets: { left: number }
}

async function inventoryText({ guests, snapshot, options, secrets }: Exported): Promise<string> {
  const parents = new Map([...snapshot.profiles].map(([name, { inherits }]) => [name, inherits]))
  const hosts = guests.map((guest) => ansibleHostOf(guest, parents, options, secrets))
  const [first] = hosts
  if (options.host !== undefined && first) return json(ansibleHost(first))
  return options.list ? json(ansibleList(hosts, parents)) : ansibleYaml(hosts, parents)
}

async function definitionsText({ guests, options, io, secrets }: Exported): Promise<string> {
  const shown = (await definitionsOf(guests, options, io)).map(({ name, data: own }) => {
    const { data, left } = options.withSecrets ? { data: own, left: 0 } : withoutSecrets(own)
    secrets.left += left
    return { name, data }
  })
  return options.as === 'csv' ? guestsCsv(shown) : json(shown.map(({ name, data }) => ({ name, ...data })))
}

/** As they are written, in the order of the guests. */
async function definitionsOf(
  guests: readonly Guest[],
  { config }: ExportOptions,
  { cwd }: CliIo,
): Promise<readonly NamedData[]> {
  const definitions = await new FolderDefinitions(defined({ file: config, cwd })).list('guest')
  const written = new Map(definitions.map(({ name, data }) => [name, data]))
  return guests.map(({ name }) => ({ name, data: written.get(name) ?? {} }))
}

function ansibleHostOf(
  guest: Guest,
  parents: ProfileParents,
  { withSecrets }: ExportOptions,
  secrets: { left: number },
): AnsibleHost {
  const { name, macs, uuid, serial, ip, profiles, settings } = guest
  const all: YamlMapping = Object.fromEntries(
    Object.entries(settings.vars).map(([key, { value }]) => [key, value as YamlValue]),
  )
  const { data, left } = withSecrets ? { data: all, left: 0 } : publicVars(all)
  secrets.left += left
  const treeboot = defined({ mac: [...macs], uuid, serial, profiles: [...profiles] }) as YamlMapping
  return {
    name,
    // A variable of the operator's that has one of these names wins.
    vars: { ...defined({ ansible_host: ip }), treeboot, ...data },
    // The others of the chain hold it by these.
    profiles: profiles.filter((profile) => !profiles.some((each) => parents.get(each)?.includes(profile))),
  }
}

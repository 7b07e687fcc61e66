import { relative } from 'node:path'
import type { Command } from 'commander'
import type { UnknownMachineView } from '../../api/types.ts'
import { machineView } from '../../api/views.ts'
import { Failure } from '../../core/failure.ts'
import { whyLocalDisk } from '../../core/guest/state.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { canonicalUuid } from '../../core/net/uuid.ts'
import { addGuest } from '../../definitions/add-guest.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { nextInstallation } from '../answers.ts'
import { guestNamed, keepLocal, openGuestStore, recordGuests } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, localTimeOf, sortedBy, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { nextText } from '../remote/next-boot.ts'

export function registerInbox(program: Command, io: CliIo): void {
  program
    .command('inbox')
    .description('list the unknown machines that asked for network boot, the latest first')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions) => inbox(options, io))
  program
    .command('adopt')
    .description('make an unknown machine a guest: writes guests.d/<name>.yaml beside config.yaml')
    .argument('<mac|uuid>', 'as treeboot inbox shows it, in any spelling')
    .requiredOption('--name <name>', 'the name of the new guest')
    .option('--profile <name...>', 'the profiles of the new guest')
    .option(
      '--local',
      'the guest boots its own disk until "treeboot install NAME"; otherwise its next network boot installs it',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string, options: AdoptOptions) => adopt(id, options, io))
}

async function inbox(options: CommonOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const machines = server ? await server.all('listUnknownMachines', {}) : await machinesHere(options, io)
  if (options.json) io.out(json(machines))
  else if (machines.length === 0) io.out('no unknown machine asked for boot\n')
  else io.out(describe(machines))
  if (machines.length === 0) io.exit(exitCodes.notFound)
}

async function machinesHere(options: CommonOptions, io: CliIo): Promise<readonly UnknownMachineView[]> {
  const { config, guests, selectors } = await readSnapshot(options, io)
  const store = await openExistingStore(config.paths)
  const all = (await store?.unknownMachines()) ?? []
  await store?.close()
  // Leaves out machines that the operator has since made guests by editing the configuration.
  const unknown = all.filter(
    ({ mac, uuid }) => !guests.match({ ...(mac && { macs: [mac] }), ...(uuid && { uuid }) }),
  )
  // Of those that asked at the same time the API has the larger id first.
  return sortedBy(unknown, ({ id }) => id)
    .sort((a, b) => a.lastMs - b.lastMs)
    .reverse()
    .map((each) => machineView(each, selectors))
}

function describe(machines: readonly UnknownMachineView[]): string {
  const rows = machines.map((machine) => [
    machine.mac ?? machine.id,
    machine.address ?? '-',
    machine.firmware ?? '-',
    machine.uuid ?? '-',
    machine.serial ?? '-',
    machine.vendor ?? '-',
    localTimeOf(machine.last),
    String(machine.count),
    machine.selected ?? '-',
  ])
  const head = ['MAC', 'ADDRESS', 'FIRMWARE', 'UUID', 'SERIAL', 'VENDOR', 'LAST SEEN', 'TIMES', 'PROFILE']
  return `${table([head, ...rows])}\ntreeboot adopt MAC --name NAME --profile PROFILE  makes a machine a guest\n`
}

interface AdoptOptions extends CommonOptions {
  readonly name: string
  readonly profile?: readonly string[]
  readonly local?: boolean
}

async function adopt(asked: string, options: AdoptOptions, io: CliIo): Promise<void> {
  const { name } = options
  const server = await serverOf(options, io)
  const adopted = server ? await adoptAt(server, asked, options) : await adoptHere(asked, { options, io })
  const { machine, file, next } = adopted
  io.out(options.json ? json({ name, file, next }) : `${machine} is guest ${name} now (${file}); ${next}\n`)
}

interface Adopted {
  /** Its MAC or UUID. */
  readonly machine: string
  readonly file: string
  /** What its next network boot does. */
  readonly next: string
}

async function adoptAt(
  server: ApiClient,
  id: string,
  { name, profile = [], local }: AdoptOptions,
): Promise<Adopted> {
  const body = { name, profile: [...profile], firstBoot: local ? ('local' as const) : ('install' as const) }
  const { where } = await server.call('adoptMachine', { params: { id }, body, query: {} })
  const made = await server.call('getGuest', { params: { name } })
  const { plan, why } = made.nextBoot
  const disk = plan === 'local-disk' ? why : undefined
  return {
    machine: made.macs[0] ?? made.uuid ?? id,
    file: where,
    next: disk ?? `its next network boot ${nextText(made).text}`,
  }
}

async function adoptHere(
  asked: string,
  { options, io }: { readonly options: AdoptOptions; readonly io: CliIo },
): Promise<Adopted> {
  const { name, profile = [] } = options
  const id = canonicalMac(asked) ?? canonicalUuid(asked)
  if (id === undefined) throw new Failure('bad-request', `${asked}: expected a MAC address or a UUID`)
  const snapshot = await readSnapshot(options, io)
  const { guests } = snapshot
  const store = await openGuestStore(snapshot, io)
  try {
    const machine = (await store.unknownMachines()).find((each) => each.id === id || each.uuid === id)
    const guest = guests.match(canonicalMac(asked) === undefined ? { uuid: id } : { macs: [id] })?.guest
    if (guest)
      throw new Failure('conflict', `${id} is guest ${guest.name} already, defined at ${guest.definedAt}`)
    if (!machine)
      throw new Failure(
        'not-found',
        `${id} is not in the inbox; "treeboot inbox" lists the machines that asked for boot`,
      )
    // Stored before the guest exists, so that no network boot can install it in between. Without `--local` the
    // adoption must be remembered as well, so it is not begun while the store cannot be written.
    if (options.local) await keepLocal(store, name)
    else await store.probe()
    const file = await addGuest({
      cwd: io.cwd,
      ...(options.config !== undefined && { configFile: options.config }),
      name,
      profiles: profile,
      machine,
    })
    const adopted = await readSnapshot(options, io)
    await recordGuests(store, adopted)
    const state = (await store.states()).get(name)
    const newGuest = guestNamed(adopted, name)
    const disk = state && whyLocalDisk(newGuest, state)
    const next =
      disk ?? `its next network boot ${(await nextInstallation(newGuest, { snapshot: adopted, io })).text}`
    return { machine: machine.id, file: relative(io.cwd, file), next }
  } finally {
    await store.close()
  }
}

import { type Command, Option } from 'commander'
import { selectForGuest } from '../../core/boot/plan-boot.ts'
import { type TestFirmware, testFirmwares, testFirmwareText } from '../../core/boot/test-firmware.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Step, TriedBoot } from '../../dryboot/steps.ts'
import { type TryOptions, tryBoot } from '../../dryboot/try-boot.ts'
import { LoaderMemory } from '../../machines/loader-memory.ts'
import { noMachines } from '../../machines/no-machines.ts'
import { cliRequester, expectedServices } from '../cli-requester.ts'
import { guestNamed, readStoredStates } from '../guest-store.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
  warnIfUnverified,
} from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
import { withRenderer } from '../with-renderer.ts'
import { tryByMachine } from './try-vm.ts'

interface TryCommandOptions extends CommonOptions, VerifyOption {
  readonly firmware?: TestFirmware
  readonly asIf?: 'install'
  readonly all?: boolean
  readonly secureBoot?: boolean
  readonly vm?: boolean
}

const kinds = testFirmwares.map((name) => `  ${name.padEnd(11)} ${testFirmwareText(name)}`).join('\n')

const help = `
Firmware:
${kinds}

Examples:
  treeboot try web01                         the next network boot of a guest, with the firmware that its machine has
  treeboot try web01 --as-if install         what would happen if it were installed now; nothing is ordered
  treeboot try web01 --firmware uefi-x64     another kind of firmware
  treeboot try web01 --vm --firmware bios    boot an emulated machine without a disk from the tree of a guest
  treeboot try web01 --all --json            every kind that a machine of its architecture may have, as JSON

Nothing is sent to a network, and nothing is changed: the guest's state, its history and the inbox stay as they are. With --vm,
the machine is in a network of its own, is no guest, and its installer ends before it looks for a disk.
Exit code 0: each boot gets to its end; 1: one does not.`

export function registerTry(program: Command, io: CliIo): void {
  program
    .command('try')
    .description('try a network boot of a guest: every file on its way, or the first that is not right')
    .argument('<guest>', 'the name of a guest')
    .addOption(
      new Option(
        '--firmware <firmware>',
        'what its machine has (default: what it showed last, else all of its architecture)',
      )
        .choices(testFirmwares)
        .conflicts('all'),
    )
    .addOption(
      new Option('--as-if <order>', 'try it as if the guest had this order now').choices(['install']),
    )
    .option('--secure-boot', 'with UEFI: as firmware that starts only what is signed')
    .addOption(
      new Option('--vm', 'boot a real machine, which QEMU emulates, from its tree').conflicts('asIf'),
    )
    .option('--all', 'all kinds of firmware that a machine of its architecture may have')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action((guest: string, options: TryCommandOptions) => runTry(guest, options, io))
}

async function runTry(name: string, options: TryCommandOptions, io: CliIo): Promise<void> {
  const tried = (await triedAt(name, options, io)) ?? (await triedHere(name, options, io))
  if (!tried) return
  io.out(options.json ? json({ guest: name, boots: tried }) : tried.map(describe).join('\n'))
  if (tried.some(({ ok }) => !ok)) io.exit(exitCodes.failed)
}

/** Undefined where no server is asked. */
async function triedAt(
  name: string,
  options: TryCommandOptions,
  io: CliIo,
): Promise<readonly TriedBoot[] | undefined> {
  const server = await serverOf(options, io)
  if (!server) return undefined
  if (options.vm)
    throw new Failure('unsupported', '--vm boots a machine on this host: run it on that of the server')
  const firmware = options.all ? ('all' as const) : options.firmware
  const body = {
    as: options.asIf ?? ('next-boot' as const),
    'secure-boot': options.secureBoot === true,
    ...defined({ firmware }),
  }
  const tried = await server.call('tryBoot', { params: { name }, body })
  if (!('items' in tried))
    throw new Failure('internal', `${server.url} started a job for a boot that is tried`)
  return tried.items as readonly TriedBoot[]
}

/** Undefined after a real machine, which tells of itself. */
async function triedHere(
  name: string,
  options: TryCommandOptions,
  io: CliIo,
): Promise<readonly TriedBoot[] | undefined> {
  const { snapshot, seen, ...past } = await readStoredStates(await readSnapshot(options, io), io)
  const guest = guestNamed(snapshot, name)
  const selection = selectForGuest(guest, snapshot.trees, past.stateOf(name))
  if (selection.found) warnIfUnverified(selection.tree, io)
  if (options.vm) {
    await tryByMachine(selection, options, { io, config: snapshot.config })
    return undefined
  }
  const firmware: TryOptions['firmware'] = options.all ? 'all' : options.firmware
  return withRenderer(io, (renderer) =>
    tryBoot(
      guest,
      { as: options.asIf ?? 'next-boot', ...defined({ firmware, secureBoot: options.secureBoot }) },
      {
        snapshot,
        services: expectedServices(snapshot.config),
        machines: { ...noMachines, ...past, loaders: new LoaderMemory() },
        renderer,
        who: cliRequester(snapshot.config),
        seen,
      },
    ),
  )
}

function describe({ guest, firmware, as, ok, end, steps }: TriedBoot): string {
  const what = as === 'install' ? 'if it were installed now' : 'its next boot'
  const rows = table(steps.map(row))
  return `${guest}, ${firmware}, ${what}\n${rows.replace(/^(?=.)/gm, '  ')}${ok ? 'ok' : 'FAILED'}: ${guest} ${end}\n`
}

const marks: Readonly<Record<Step['outcome'], string>> = {
  ok: 'ok',
  absent: '-',
  skipped: 'not tried',
  failed: 'FAILED',
}

function row({ what, protocol, asked, outcome, bytes, came, why, remedy, notes = [] }: Step): string[] {
  const size = bytes === undefined ? undefined : `${bytes} bytes`
  const words = [size, came, why, remedy, ...notes].filter((word) => word !== undefined)
  return [marks[outcome], what, protocol === 'internal' ? '' : protocol, asked, words.join('; ')]
}

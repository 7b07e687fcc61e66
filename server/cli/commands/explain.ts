import type { Command } from 'commander'
import { type Explanation, explainBoot, type KnownOfMachine } from '../../core/boot/explain.ts'
import { selectForGuest } from '../../core/boot/plan-boot.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { GuestFacts } from '../../core/guest/guest.ts'
import type { GuestIndex } from '../../core/guest/match.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { canonicalUuid } from '../../core/net/uuid.ts'
import { nearestName } from '../../core/select/nearest.ts'
import { diskSource } from '../../files/disk.ts'
import { cleanPath } from '../../files/path.ts'
import { knownOfMachine } from '../../machines/explain-machine.ts'
import { LoaderMemory } from '../../machines/loader-memory.ts'
import { handWrittenFor } from '../../namespace/hand-written.ts'
import { loaderFinder } from '../../namespace/host-loaders.ts'
import { explainPath, type PathExplanation } from '../../namespace/mounts.ts'
import { createNamespace, namespaceMounts } from '../../namespace/namespace.ts'
import { cliNamespaceParts, inputsForGuest } from '../answers.ts'
import { cliInputs, cliRequester } from '../cli-requester.ts'
import { readStoredStates, type StoredStates } from '../guest-store.ts'
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
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { withRenderer } from '../with-renderer.ts'

const help = `
Examples:
  treeboot explain web01                       every setting of a guest, and the line of config.yaml that it comes from
  treeboot explain 52:54:00:aa:bb:01           the same for the machine with this MAC address
  treeboot explain /trees/fedora-40/.treeinfo  which part of treeboot serves this path, and why`

export function registerExplain(program: Command, io: CliIo): void {
  program
    .command('explain')
    .description('show why a machine boots what it boots, or which part of treeboot serves a path')
    .argument(
      '<guest|mac|uuid|/path>',
      'the name of a guest, the MAC address or UUID of any machine, or a path that clients ask for',
    )
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action(async (asked: string, options: CommonOptions & VerifyOption) => {
      const server = await serverOf(options, io)
      if (server) return explainAt(server, asked, options, io)
      const stored = await readStoredStates(await readSnapshot(options, io), io)
      if (!asked.startsWith('/')) requireMachine(asked, stored.snapshot.guests)
      if (asked.startsWith('/')) await explainAPath(asked, stored, options, io)
      else await explainAMachine(asked, stored, options, io)
    })
}

/** A server explains guests. */
async function explainAt(server: ApiClient, asked: string, options: CommonOptions, io: CliIo): Promise<void> {
  const { macs, uuid } = factsOf(asked)
  if (asked.startsWith('/') || macs !== undefined || uuid !== undefined)
    throw new Failure(
      'unsupported',
      `a server explains guests by their names, not ${asked}: treeboot guests lists them with their addresses; for other machines and for paths, run this beside the server`,
    )
  const explanation = await server.all('explainGuest', { params: { name: asked } })
  printMachine({ asked, known: true, explanation }, options, io)
}

interface ExplainedMachine {
  readonly asked: string
  /** Whether it is a guest. */
  readonly known: boolean
  readonly explanation: readonly Explanation[]
}

function printMachine(shown: ExplainedMachine, options: CommonOptions, io: CliIo): void {
  if (options.json) io.out(json(shown))
  else
    io.out(table(shown.explanation.map(({ what, value, from }) => [what, value, from ? `<- ${from}` : ''])))
}

/**
 * A machine that is no guest is known by its MAC address or UUID alone: any other text names none, and what an unknown
 * machine gets would be no answer.
 */
function requireMachine(asked: string, guests: GuestIndex): void {
  const facts = factsOf(asked)
  if (facts.macs !== undefined || facts.uuid !== undefined || guests.match(facts)) return
  const near = nearestName(
    asked,
    guests.all.map(({ name }) => name),
  )
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`
  const path = asked.includes('/') ? cleanPath(asked) : '/trees'
  throw new Failure(
    'not-found',
    `there is no guest or machine ${JSON.stringify(asked)}${hint}; expected the name of a guest (treeboot guests lists them), a MAC address, a UUID, or a path that begins with a slash, such as ${path}`,
  )
}

async function explainAMachine(
  asked: string,
  stored: StoredStates,
  options: CommonOptions & VerifyOption,
  io: CliIo,
): Promise<void> {
  const { snapshot, stateOf } = stored
  const facts = factsOf(asked)
  const shown = await shownBy(facts, stored, io)
  // The operator's own boot configurations in tftpboot/, which win over any plan.
  const handWritten = await handWrittenFor(diskSource(snapshot.config.paths.tftpboot), facts, snapshot.guests)
  const guest = snapshot.guests.match(facts)?.guest
  const inputs = guest ? await inputsForGuest(guest, stored, io) : cliInputs(snapshot, stateOf)
  const lines = explainBoot(facts, inputs, { ...shown, handWritten })
  const known = guest !== undefined
  const selection = guest && selectForGuest(guest, snapshot.trees, stateOf(guest.name))
  if (selection?.found) warnIfUnverified(selection.tree, io)
  printMachine({ asked, known, explanation: lines }, options, io)
  if (known) return
  io.err(`treeboot: ${asked} is not a guest; above is what an unknown machine gets\n`)
  io.exit(exitCodes.notFound)
}

/** What the machine showed to a server, and the loader that a server would send it. */
function shownBy(
  facts: GuestFacts,
  { snapshot, seen, ...past }: StoredStates,
  io: CliIo,
): Promise<KnownOfMachine> {
  const { localAddress: serverAddress = '' } = cliRequester(snapshot.config)
  return withRenderer(io, (renderer) => {
    const parts = cliNamespaceParts(snapshot, { renderer, ...past })
    const namespace = createNamespace(parts)
    return knownOfMachine(facts, {
      snapshot,
      seen,
      serverAddress,
      services: parts.services,
      machines: { loaders: new LoaderMemory(), stateOf: past.stateOf },
      loaderExists: loaderFinder(namespace, () => snapshot.config.paths.tftpboot),
    })
  })
}

/**
 * The text as a name, and as a MAC address or UUID if it is one: a guest's name may look like a MAC address.
 */
function factsOf(asked: string): GuestFacts {
  return {
    name: asked,
    ...defined({
      macs: canonicalMac(asked) === undefined ? undefined : [asked],
      uuid: canonicalUuid(asked) === undefined ? undefined : asked,
    }),
  }
}

async function explainAPath(
  asked: string,
  { snapshot, ...past }: StoredStates,
  options: CommonOptions & VerifyOption,
  io: CliIo,
): Promise<void> {
  const lines = await withRenderer(io, (renderer) => {
    const mounts = namespaceMounts(cliNamespaceParts(snapshot, { renderer, ...past }))
    return explainPath(mounts, cleanPath(asked), cliRequester(snapshot.config))
  })
  const served = lines.some(({ outcome }) => outcome === 'serves')
  if (options.json) io.out(json({ asked, served, mounts: lines }))
  else io.out(table([['MOUNT', 'PATH', 'WHAT'], ...lines.map(mountRow)]))
  if (!served) io.exit(exitCodes.notFound)
}

const outcomeTexts: Readonly<Record<PathExplanation['outcome'], string>> = {
  serves: 'served',
  fails: 'FAILS',
  hidden: 'hidden by a row above',
  absent: '-',
}

function mountRow({ at, outcome, why, message }: PathExplanation): string[] {
  return [at, outcomeTexts[outcome], message === undefined ? why : `${message} (${why})`]
}

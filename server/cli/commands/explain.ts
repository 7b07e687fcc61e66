import type { Command } from 'commander'
import { type Explanation, explainBoot } from '../../core/boot/explain.ts'
import type { GuestFacts } from '../../core/guest/guest.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { canonicalUuid } from '../../core/net/uuid.ts'
import { diskSource } from '../../files/disk.ts'
import { bootInputs } from '../../machines/decide.ts'
import { handWrittenFor } from '../../namespace/hand-written.ts'
import { expectedServices, localRequester } from '../cli-requester.ts'
import { remembered } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, oneShot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'

export function registerExplain(program: Command, io: CliIo): void {
  program
    .command('explain')
    .description('why a guest or a machine gets what it gets: which rule gave what')
    .argument('<guest|mac|uuid>', 'name of a guest, or the MAC address or UUID of any machine')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (who: string, options: CommonOptions) => {
      const { snapshot, stateOf } = await remembered(await oneShot(options, io), io)
      const facts = factsOf(who)
      const inputs = bootInputs(
        snapshot,
        expectedServices(snapshot.config),
        localRequester(snapshot.config),
        stateOf,
      )
      const own = await handWrittenFor(diskSource(snapshot.config.paths.tftpboot), facts, snapshot.guests)
      const lines = explainBoot(facts, inputs, own)
      const known = snapshot.guests.match(facts) !== undefined
      if (options.json) io.out(json({ asked: who, known, explanation: lines }))
      else io.out(describe(lines))
      if (!known) {
        io.err(`treeboot: ${who} is no guest; this is what an unknown machine gets\n`)
        io.exit(exitCodes.none)
      }
    })
}

/** A name is tried too, for a guest may be called like a MAC address. */
function factsOf(who: string): GuestFacts {
  return {
    name: who,
    ...(canonicalMac(who) !== undefined && { macs: [who] }),
    ...(canonicalUuid(who) !== undefined && { uuid: who }),
  }
}

function describe(lines: readonly Explanation[]): string {
  return table(lines.map(({ what, value, from }) => [what, value, from ? `<- ${from}` : '']))
}

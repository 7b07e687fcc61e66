import type { Command } from 'commander'
import type { Guest } from '../core/guest/guest.ts'
import { guestSummary, identityText } from '../web/views.ts'
import { type CliIo, exitCodes } from './io.ts'
import { configOption, jsonOption, oneShot } from './options.ts'
import { json, table } from './table.ts'

export function registerGuests(program: Command, io: CliIo): void {
  program
    .command('guests')
    .description('list the guests, how each is recognised, and what it would install')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (options: { config?: string; json?: boolean }) => {
      const { guests, trees } = await oneShot(options, io)
      if (options.json) io.out(json(guests.all.map((guest) => guestSummary(guest, trees))))
      else if (guests.all.length === 0) io.out('no guests yet: name them below guests: in config.yaml\n')
      else
        io.out(describeGuests(guests.all, (guest) => guestSummary(guest, trees).tree ?? 'no tree that fits'))
      if (guests.all.length === 0) io.exit(exitCodes.none)
    })
}

function describeGuests(guests: readonly Guest[], treeOf: (guest: Guest) => string): string {
  const rows = guests.map((guest) => [
    guest.name,
    identityText(guest),
    guest.profiles.join(' < ') || '-',
    treeOf(guest),
    guest.settings.template?.value ?? '-',
  ])
  return table([['GUEST', 'KNOWN BY', 'PROFILE', 'TREE', 'TEMPLATE'], ...rows])
}

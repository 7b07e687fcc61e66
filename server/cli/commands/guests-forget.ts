import type { Command } from 'commander'
import type { Forgotten } from '../../api/types.ts'
import { changesToForget } from '../../machines/guest-records.ts'
import { openGuestStore } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot, withoutVerify } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'

/** `treeboot guests forget`: the record of a guest says no more which machines it was. */
export function registerForget(guests: Command, io: CliIo): void {
  guests
    .command('forget')
    .description('forget which machines a guest was; it boots its own disk until it is ordered to install')
    .argument('<guest>', 'the name of a guest, also of one that was removed')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nFor a machine that was given away, or whose card went into another one: other guests may have it then. Its history stays.',
    )
    .action((name: string, _: unknown, command: Command) => forget(name, command.optsWithGlobals(), io))
}

async function forget(name: string, options: CommonOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const forgotten = server
    ? await server.call('forgetGuest', { params: { name } })
    : await forgetHere(name, options, io)
  io.out(
    options.json
      ? json(forgotten)
      : `${name}: its earlier machines are forgotten; it boots its own disk until "treeboot install ${name}"\n`,
  )
}

async function forgetHere(name: string, options: CommonOptions, io: CliIo): Promise<Forgotten> {
  const snapshot = await readSnapshot(withoutVerify(options), io)
  const store = await openGuestStore(snapshot, io)
  try {
    const guest = snapshot.guests.byName(name)
    const changes = await changesToForget(store, { name, guest, by: 'the operator' }, Date.now())
    await store.record(changes)
    const state = (await store.states()).get(name)
    return { name, state: state?.state ?? 'held', hold: state?.hold ?? null }
  } finally {
    await store.close()
  }
}

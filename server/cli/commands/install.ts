import type { Command } from 'commander'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { planGuest } from '../../core/boot/plan-boot.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { nextState } from '../../core/guest/next-state.ts'
import { type GuestState, newState } from '../../core/guest/state.ts'
import { openStore } from '../../store/sqlite/open.ts'
import type { Store } from '../../store/store.ts'
import { cliInputs } from '../cli-requester.ts'
import { guestNamed, localTime } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'

/**
 * `treeboot install` and `treeboot local`: the operator's decisions. A running server follows them at once.
 */
export function registerInstall(program: Command, io: CliIo): void {
  program
    .command('install')
    .description('install guests: the next network boot of each installs it, once, whatever its state is')
    .argument('<guest...>', 'the names of guests')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], options: CommonOptions) => decide('install-once', names, options, io))
  program
    .command('local')
    .description('keep guests on their own disks: network boot does not install them any more')
    .argument('<guest...>', 'the names of guests')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], options: CommonOptions) => decide('local', names, options, io))
}

type Decision = 'install-once' | 'local'

async function decide(
  type: Decision,
  names: readonly string[],
  options: CommonOptions,
  io: CliIo,
): Promise<void> {
  const snapshot = await readSnapshot(options, io)
  // All names are looked up before any change: a mistyped third name must not leave two guests changed.
  const guests = names.map((name) => guestNamed(snapshot, name))
  const store = await openStore(snapshot.config.paths)
  try {
    const done = []
    for (const guest of guests) done.push({ guest, ...(await change(store, guest, type)) })
    if (options.json)
      io.out(
        json(
          done.map(({ guest, after }) => ({ name: guest.name, state: after.state, install: after.install })),
        ),
      )
    else for (const { guest, before } of done) io.out(`${outcome(type, guest, before, snapshot)}\n`)
  } finally {
    await store.close()
  }
}

async function change(
  store: Store,
  guest: Guest,
  type: Decision,
): Promise<{ before: GuestState; after: GuestState }> {
  let before = newState
  const after = await store.change(guest.name, (stored) => {
    before = stored ?? newState
    return nextState(stored, { type }, Date.now())
  })
  return { before, after: after ?? before }
}

function outcome(type: Decision, guest: Guest, before: GuestState, snapshot: Snapshot): string {
  const was = before.sinceMs === 0 ? 'was new' : `was ${before.state} since ${localTime(before.sinceMs)}`
  if (type === 'local') return `${guest.name} ${was}; it boots its own disk from now on`
  // Without facts of a machine, and without states: `install-once` forgets what the guest was offered before.
  const plan = planGuest(guest, {}, cliInputs(snapshot))
  const next = plan.kind === 'install' ? `installs ${plan.tree.id}, once` : `would fail: ${plan.why}`
  return `${guest.name} ${was}; its next network boot ${next}`
}

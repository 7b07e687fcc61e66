import type { Command } from 'commander'
import { defined } from '../../core/defined.ts'
import type { ChangeOptions } from '../../definitions/definitions.ts'
import type { FolderDefinitions } from '../../definitions/folder-definitions.ts'
import { changesForRename } from '../../machines/guest-records.ts'
import { type CommandChange, expectedOf, runChange, runChangeThere } from '../definition-change.ts'
import { guestNamed, openGuestStore } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot, withoutVerify } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { renameAt } from '../remote/definitions.ts'

/** Adds `rename` to the commands of guests or profiles. */
export function registerRename(group: Command, kind: 'guest' | 'profile', io: CliIo): void {
  group
    .command('rename')
    .description(
      kind === 'guest'
        ? 'give a guest another name; its machine keeps its state and its history'
        : 'give a profile another name, and write it wherever the profile is named',
    )
    .argument(`<${kind}>`, `the name of a ${kind}`)
    .argument('<new-name>', 'its next name')
    .option('--dry-run', 'show what would change, and change nothing')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (name: string, newName: string, _: unknown, command: Command) => {
      const isRenamed = await runChangeThere(command, io, async (server, { dryRun }) => {
        const { isHeld, ...made } = await renameAt(server, { kind, name, dryRun }, newName)
        return isHeld ? { ...made, reply: heldReply(newName) } : made
      })
      if (isRenamed) return
      await runChange(command, io, (definitions, options) =>
        kind === 'guest'
          ? renameGuest(definitions, { name, newName, options, given: command.optsWithGlobals() }, io)
          : renameProfile(definitions, { name, newName, options }),
      )
    })
}

interface Renaming {
  readonly name: string
  readonly newName: string
  readonly options: ChangeOptions
}

async function renameProfile(
  definitions: FolderDefinitions,
  { name, newName, options }: Renaming,
): Promise<CommandChange> {
  const expected = await expectedOf(definitions, 'profile', name)
  return definitions.rename('profile', name, newName, { ...options, ...defined({ expected }) })
}

async function renameGuest(
  definitions: FolderDefinitions,
  { name, newName, options, given }: Renaming & { readonly given: CommonOptions },
  io: CliIo,
): Promise<CommandChange> {
  const expected = await expectedOf(definitions, 'guest', name)
  let isHeld = false
  const before = async (): Promise<void> => {
    isHeld = await holdForNewName(name, newName, given, io)
  }
  const made = await definitions.rename('guest', name, newName, {
    ...options,
    ...defined({ expected }),
    before,
  })
  return isHeld ? { ...made, reply: heldReply(newName) } : made
}

/** Who the machine is cannot be told, or the name has a past of its own. */
function heldReply(newName: string): string {
  return `it is held and boots its own disk until "treeboot install ${newName}": nothing tells that it is the same machine`
}

/** Stored before the definition has its new name, so that no network boot can install it in between. */
async function holdForNewName(
  name: string,
  newName: string,
  given: CommonOptions,
  io: CliIo,
): Promise<boolean> {
  const snapshot = await readSnapshot(withoutVerify(given), io)
  const store = await openGuestStore(snapshot, io)
  try {
    const changes = await changesForRename(store, guestNamed(snapshot, name), newName, Date.now())
    if (changes.length > 0) await store.record(changes)
    return changes.length > 0
  } finally {
    await store.close()
  }
}

import { resolve } from 'node:path'
import { stringify } from 'yaml'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { type DefinitionFile, definitionKinds, writeGuestFile } from './definition-files.ts'
import { loadConfigFile } from './last-good.ts'
import { ConfigError, problemLine } from './problems.ts'
import { defaultFileName } from './texts.ts'

/** A machine that is to become a guest, and its settings. */
export interface NewGuest {
  /** As for `loadConfigFile`. */
  readonly configFile?: string
  readonly cwd: string
  readonly name: string
  readonly profiles: readonly string[]
  readonly machine: UnknownMachine
}

/**
 * Makes a machine a guest, in a new file of `guests.d`. Resolves to the path of that file. The guest is
 * recognised by its MAC address, or by its UUID if the machine sent no MAC. Whatever else the machine sent is
 * written as a comment: vendors leave one UUID or serial number in thousands of boards, and a guest with such
 * a number would match them all.
 *
 * @throws ConfigError when config.yaml is wrong, or the guest adds a problem. Then nothing is written.
 * @throws Failure `conflict` when a guest of this name exists.
 */
export async function addGuest({ configFile, cwd, name, profiles, machine }: NewGuest): Promise<string> {
  const where = defined({ file: configFile, cwd })
  const { guests, problems } = await loadConfigFile(where)
  const taken = guests.find((guest) => guest.name === name)
  if (taken)
    throw new Failure('conflict', `guest ${name} already exists (${taken.definedAt}); choose another name`)
  const text = guestText(machine, profiles)
  // Loads the configuration once more, with the guest, to see whether that adds an error. The line that stands at the
  // file as a whole only says what becomes of it.
  const shownName = `${definitionKinds.guest.folder}/${name}.yaml`
  const file: DefinitionFile = { kind: 'guest', name, shownName, text }
  const known = new Set(problems.map(problemLine))
  const added = (await loadConfigFile(where, file)).problems.filter(
    (problem) =>
      problem.severity === 'error' && problem.where !== shownName && !known.has(problemLine(problem)),
  )
  if (added.length > 0) throw new ConfigError(added)
  return writeGuestFile(resolve(cwd, configFile ?? defaultFileName), name, text)
}

function guestText(machine: UnknownMachine, profiles: readonly string[]): string {
  const { mac, uuid, serial, firmware, vendor, address, firstMs } = machine
  // Without a MAC, the UUID is no comment: it is the identity below.
  const seen = { uuid: mac && uuid, serial, firmware, vendor, address }
  const comments = Object.entries(seen).map(([key, value]) =>
    value ? `# ${key}: ${JSON.stringify(value)}\n` : '',
  )
  const identity = mac ? { mac } : { uuid }
  const profile = profiles.length > 1 ? profiles : profiles[0]
  const first = new Date(firstMs).toISOString()
  return `# First asked for boot at ${first}, and sent:\n${comments.join('')}${stringify(defined({ ...identity, profile }))}`
}

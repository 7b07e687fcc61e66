import { dirname, join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { defaultFileName } from '../config/texts.ts'
import { defined } from '../core/defined.ts'
import type { AutoGuest } from '../core/guest/auto-guest.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { FolderDefinitions } from './folder-definitions.ts'

/** A machine that is to become a guest, and its settings. */
export interface NewGuest {
  /** Default: `config.yaml` in `cwd`, which may be missing. */
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
 * @throws As `Definitions.write` does; then nothing is written.
 */
export async function addGuest({ configFile, cwd, name, profiles, machine }: NewGuest): Promise<string> {
  const definitions = new FolderDefinitions(defined({ file: configFile, cwd }))
  const { where } = await definitions.write('guest', name, adoptedText(machine, profiles), {})
  return join(dirname(resolve(cwd, configFile ?? defaultFileName)), where)
}

/**
 * The definition of a machine as a guest. It is recognised by its MAC address, or by its UUID if the machine sent no MAC.
 * Whatever else the machine sent is a comment, see `addGuest`.
 */
export function adoptedText(machine: UnknownMachine, profiles: readonly string[]): string {
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

/** The file of a guest that a profile makes (`auto: install`). */
export function autoGuestText({ definition, profile, by }: AutoGuest, now: Date): string {
  return `# Made by profile ${profile} (auto: install) at ${now.toISOString()}, because of ${by}.\n${stringify(definition)}`
}

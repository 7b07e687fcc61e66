import { resolve } from 'node:path'
import { stringify } from 'yaml'
import { Failure } from '../core/failure.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { guestFolderName, writeGuestFile } from './guest-files.ts'
import { loadConfigFile } from './load.ts'

export interface NewGuest {
  /** As for `loadConfigFile`. */
  readonly configFile?: string
  readonly cwd: string
  readonly name: string
  readonly profiles: readonly string[]
  readonly machine: UnknownMachine
}

/**
 * Makes a machine a guest, in a file of its own. It is recognised by its MAC address (its UUID while it showed no
 * MAC). What else it showed stands there as a comment: vendors leave one UUID or serial number in thousands of boards,
 * and a guest that claimed such a one would claim them all.
 *
 * @throws ConfigError when the configuration would be wrong with it, or is wrong without it; nothing is written then.
 * @throws Failure `conflict` when there is a guest of this name.
 */
export async function addGuest({ configFile, cwd, name, profiles, machine }: NewGuest): Promise<string> {
  const file = configFile === undefined ? {} : { file: configFile }
  const { guests } = await loadConfigFile({ ...file, cwd })
  const taken = guests.find((guest) => guest.name === name)
  if (taken)
    throw new Failure(
      'conflict',
      `there is a guest ${name} already (${taken.definedAt}); choose another name`,
    )
  const text = guestText(machine, profiles)
  await loadConfigFile({ ...file, cwd, more: { name, shown: `${guestFolderName}/${name}.yaml`, text } })
  return writeGuestFile(resolve(cwd, configFile ?? 'config.yaml'), name, text)
}

function guestText(machine: UnknownMachine, profiles: readonly string[]): string {
  const { mac, uuid, serial, firmware, vendor, address, firstMs } = machine
  const seen = {
    ...(mac && uuid && { uuid }),
    ...(serial && { serial }),
    ...(firmware && { firmware }),
    ...(vendor && { vendor }),
    ...(address && { address }),
  }
  const comments = Object.entries(seen).map(([key, value]) => `# ${key}: ${JSON.stringify(value)}\n`)
  const settings = {
    ...(mac ? { mac } : { uuid }),
    ...(profiles.length > 0 && { profile: profiles.length === 1 ? profiles[0] : profiles }),
  }
  return `# Asked for boot first at ${new Date(firstMs).toISOString()}, and showed:\n${comments.join('')}${stringify(settings)}`
}

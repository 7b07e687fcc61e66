import { type LoadedConfig, parseConfig } from '../../server/config/load.ts'
import { ConfigError } from '../../server/config/problems.ts'
import type { Guest } from '../../server/core/guest/guest.ts'

/** Loads this text as `/srv/treeboot/config.yaml`. */
export function parse(text: string): LoadedConfig {
  return parseConfig(text, 'config.yaml', '/srv/treeboot')
}

/** The message of the ConfigError for this text, or `accepted`. Any other error is thrown on. */
export function refusal(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

export function guestOf(loaded: LoadedConfig, name: string): Guest {
  const found = loaded.guests.find((candidate) => candidate.name === name)
  if (!found) throw new Error(`no guest ${name}`)
  return found
}

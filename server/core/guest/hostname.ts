import type { Guest } from './guest.ts'

/** The host name that a guest gets: its var `hostname`, else the name of its definition. */
export function hostnameOf(guest: Guest | undefined): string {
  const named = guest?.settings.vars.hostname?.value
  return typeof named === 'string' ? named : (guest?.name ?? '')
}

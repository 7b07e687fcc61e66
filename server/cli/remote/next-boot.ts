import type { GuestDetail } from '../../api/types.ts'

/** What the next network boot of a guest does that is to be installed, as the end of a sentence. */
export function nextText({ name, tree, nextBoot }: GuestDetail): {
  readonly installs: boolean
  readonly text: string
} {
  const { plan, why } = nextBoot
  if (plan === 'install') return { installs: true, text: `installs ${tree}` }
  return { installs: false, text: `installs nothing: ${(why ?? '').replace(`guest ${name}: `, '')}` }
}

import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type GuestLife, lifeAt, newLife } from '../core/guest/life.ts'
import { nearestName } from '../core/nearest.ts'
import { openExistingStore } from '../store/open.ts'
import { reportToken } from '../store/token.ts'
import type { CliIo } from './io.ts'

/** What the store remembers, read once for one command. */
export interface Remembered {
  readonly lifeOf: (guest: string) => GuestLife | undefined
  readonly reportToken: (guest: string) => string | undefined
}

/**
 * Reads the store beside a server that may be running. A command that only looks goes on without it when it must, and
 * says so: then every guest looks new.
 */
export async function remembered({ config }: Snapshot, io: CliIo): Promise<Remembered> {
  try {
    const store = await openExistingStore(config.paths)
    if (!store) return { lifeOf: () => undefined, reportToken: () => undefined }
    try {
      const [lives, secret] = [await store.lives(), await store.secret()]
      const lifeOf = (guest: string): GuestLife | undefined => {
        const life = lives.get(guest)
        return life && lifeAt(life, Date.now())
      }
      return {
        lifeOf,
        reportToken: (guest) => reportToken(secret, guest, (lifeOf(guest) ?? newLife).install),
      }
    } finally {
      await store.close()
    }
  } catch (error) {
    io.err(`warning: what happened to the guests is not known here: ${failureMessage(error)}\n`)
    return { lifeOf: () => undefined, reportToken: () => undefined }
  }
}

/** @throws Failure `not-found`, with the name that may have been meant. */
export function guestNamed({ guests }: Snapshot, name: string): Guest {
  const guest = guests.byName(name)
  if (guest) return guest
  const names = guests.all.map((each) => each.name)
  const near = nearestName(name, names)
  const hint =
    near === undefined ? `guests: ${names.slice(0, 20).join(', ') || 'none yet'}` : `did you mean ${near}?`
  throw new Failure('not-found', `no guest ${name}; ${hint}`)
}

/** `2026-11-23 16:20:31`, in the time zone of whoever reads it. */
export function localTime(ms: number): string {
  const date = new Date(ms)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

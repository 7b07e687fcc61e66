import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'

/** @throws Failure `not-found` */
export function guestNamed({ guests }: Snapshot, name: string): Guest {
  const guest = guests.byName(name)
  if (!guest) throw new Failure('not-found', `no guest ${name}; /api/v1/guests lists them`)
  return guest
}

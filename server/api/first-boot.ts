import { z } from 'zod'
import { whyNotAllowed } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'
import type { ApiContext } from './context.ts'
import { type Call, needs } from './route.ts'

/** What an order needs that may erase a disk. */
export const orderNeed = needs('operator', 'guests:order')

export const firstBoot = z.enum(['local', 'install'], 'local or install').default('local').meta({
  description:
    'install: its first network boot erases and installs, and a narrowed token needs `guests:order`. local: its own disk, until it is ordered.',
})

/** @throws Failure `forbidden` for a caller who may make guests and may order no installation. */
export function requireFirstBoot(wanted: unknown, { caller }: Pick<Call, 'caller'>): void {
  const why = wanted === 'install' && caller ? whyNotAllowed(caller, orderNeed) : undefined
  if (why !== undefined) throw new Failure('forbidden', `${why}, because of firstBoot: install`)
}

/** A new guest boots its disk unless the request says otherwise: that is stored before the guest exists. */
export async function prepareGuest(name: string, wanted: unknown, { machines }: ApiContext): Promise<void> {
  if (wanted === 'local') await machines.order(name, { type: 'local' })
  const why = machines.whyNotWritable()
  if (why !== undefined) throw new Failure('unavailable', why)
}

import { whyNotAllowed } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'
import { type Call, needs } from './route.ts'

const reveals = needs('viewer', 'answers:reveal')

/** @throws Failure `forbidden` for a caller who may not see secrets: no role has that by itself. */
export function requireReveal({ caller }: Pick<Call, 'caller'>): void {
  const why = caller ? whyNotAllowed(caller, reveals) : 'who are you?'
  if (why !== undefined) throw new Failure('forbidden', why)
}

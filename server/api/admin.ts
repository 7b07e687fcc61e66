import type { IncomingMessage } from 'node:http'
import { Failure } from '../core/failure.ts'

/** The user name that goes with the administrator's token where a protocol wants one. */
export const adminUser = 'admin'

/**
 * Lets a request pass that carries the administrator's token: `Authorization: Bearer TOKEN`, or basic with user
 * `admin`, which is `curl -u admin:TOKEN` and what browsers ask for by themselves.
 *
 * @throws Failure `forbidden`; the answer is then 401.
 */
export function requireAdmin(req: IncomingMessage, isValid: (token: string) => boolean): void {
  const token = tokenOf(req.headers.authorization ?? '')
  if (token !== undefined && isValid(token)) return
  throw new Failure(
    'forbidden',
    token === undefined
      ? "only for administrators: send 'Authorization: Bearer TOKEN' with the token in the file admin-token of the data folder"
      : 'that is not the token of the administrator; it is in the file admin-token of the data folder',
  )
}

function tokenOf(header: string): string | undefined {
  const [, scheme = '', value = ''] = /^\s*(\w+)\s+(\S+)\s*$/.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  return text.startsWith(`${adminUser}:`) ? text.slice(adminUser.length + 1) : undefined
}

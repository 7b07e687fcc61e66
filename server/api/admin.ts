import type { IncomingMessage } from 'node:http'

/** The user name for protocols that ask for one beside the administrator's token. */
export const adminUser = 'admin'

/**
 * Why a request is not accepted as the administrator's; undefined when it carries the token. The token may
 * come as `Authorization: Bearer TOKEN`, or as the password of the user `admin` in basic authentication,
 * which browsers and `curl -u admin:TOKEN` send.
 */
export function whyNotAdmin(
  { headers }: IncomingMessage,
  isValid: (token: string) => boolean,
): string | undefined {
  const token = tokenIn(headers.authorization ?? '')
  if (token === undefined)
    return "only for administrators: send 'Authorization: Bearer TOKEN' with the token in the file admin-token of the data folder"
  if (!isValid(token))
    return 'that is not the token of the administrator, which is in the file admin-token of the data folder'
  return undefined
}

function tokenIn(header: string): string | undefined {
  const [, scheme = '', value = ''] = /^\s*(\w+)\s+(\S+)\s*$/.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  return text.startsWith(`${adminUser}:`) ? text.slice(adminUser.length + 1) : undefined
}

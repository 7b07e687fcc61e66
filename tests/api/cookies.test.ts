import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { cookieNames, cookieValue } from '../../server/api/cookies.ts'

const names = cookieNames('session')
const from = (headers: Record<string, string>, address = '127.0.0.1') =>
  ({ headers, socket: { remoteAddress: address } }) as unknown as IncomingMessage
const both = { cookie: 'session=plain; __Host-session=secure' }

test('under TLS the cookie with the prefix alone counts, else the other one alone', () => {
  const proxies = ['127.0.0.1/32']
  expect(cookieValue(from(both), names, proxies)).toBe('plain')
  expect(cookieValue(from({ ...both, 'x-forwarded-proto': 'https' }), names, proxies)).toBe('secure')
  // A page on plain HTTP of the same host can set the one without the prefix.
  expect(
    cookieValue(from({ cookie: 'session=x', 'x-forwarded-proto': 'https' }), names, proxies),
  ).toBeUndefined()
  // Anybody can send this header.
  expect(cookieValue(from({ ...both, 'x-forwarded-proto': 'https' }, '192.0.2.7'), names, proxies)).toBe(
    'plain',
  )
})

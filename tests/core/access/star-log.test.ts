import { expect, test } from 'vitest'
import { starLog } from '../../../server/core/access/star-log.ts'
import type { VarValue } from '../../../server/core/guest/guest.ts'

const vars = (values: Record<string, VarValue>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, from: 'guest web01' }]))

test.each([
  ['a variable whose name says it', { root_password: 'hunter2' }, 'user typed hunter2 twice: hunter2'],
  ['deep in a variable', { wifi: { home: [{ psk: 'hunter2' }] } }, 'joining with hunter2'],
  ['below a name that says it', { secrets: { a: ['hunter2'] } }, 'got hunter2'],
  ['in a URL', { proxy_password: 'hunter2/ä' }, 'GET http://x/?p=hunter2%2F%C3%A4'],
  ['with backslashes', { root_password: 'hunter2"x' }, 'json {"p":"hunter2\\"x"}'],
  ['a line of a key', { ssh_private_key: 'first line\nhunter2\n' }, 'read hunter2'],
  ['a number', { vault_token: 4711123 }, 'hunter2 is not here, 4711123 is'],
])('%s is starred', (_name, values, text) => {
  const shown = starLog(text, { vars: vars(values) })
  expect(shown).toContain('***')
  expect(shown.replace('hunter2 is not here', '')).not.toMatch(/hunter2|4711123/)
})

test('the token of reports, and what its form or its word says to be a secret', () => {
  expect(starLog('POST /api/v1/guests/web01/installed/abcDEF123', { token: 'abcDEF123' })).not.toContain(
    'abcDEF123',
  )
  expect(starLog('rootpw --plaintext swordfish', {})).not.toContain('swordfish')
  expect(starLog('found $6$salt$hashhashhash', {})).not.toContain('hashhash')
})

test('what is no secret stays', () => {
  const text = 'dnf: Installing bash.x86_64 (12/412)'
  expect(starLog(text, { vars: vars({ disk: 'sda', pw: 'x', note: 'bash' }), token: 't' })).toBe(text)
})

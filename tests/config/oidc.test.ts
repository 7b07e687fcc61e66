import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfigFile } from '../../server/config/last-good.ts'
import { parseConfig } from '../../server/config/load.ts'
import { ConfigError } from '../../server/config/problems.ts'
import { configurationLimits } from '../../server/core/limits/configuration.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const secret = 'no-one-may-see-this'
const right = {
  issuer: 'https://login.example/realms/house/',
  'client-id': 'treeboot',
  'client-secret': secret,
  roles: { admin: 'wheel' },
}
const textOf = (oidc: object): string => JSON.stringify({ access: { oidc } })
const parse = (oidc: object) => parseConfig(textOf(oidc), 'config.yaml', '/srv/treeboot').config.access.oidc

function problemsOf(oidc: object): string {
  try {
    parse(oidc)
    return ''
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

test('has defaults, and the issuer stays as it was written', () => {
  expect(parse(right)).toEqual({
    issuer: 'https://login.example/realms/house/',
    clientId: 'treeboot',
    clientSecret: secret,
    scopes: ['openid', 'profile'],
    nameClaim: 'preferred_username',
    groupsClaim: 'groups',
    roles: { viewer: [], operator: [], admin: ['wheel'] },
  })
})

test.each([
  ['http://login.example', 'access.oidc.issuer'],
  ['https://user:pw@login.example', 'access.oidc.issuer'],
  ['https://login.example?x=1', 'access.oidc.issuer'],
  ['login.example', 'access.oidc.issuer'],
])('the issuer %s is refused', (issuer, where) => expect(problemsOf({ ...right, issuer })).toContain(where))

test.each(['http://127.0.0.1:8080', 'http://[::1]:1/x', 'http://localhost', 'https://login.example'])(
  'the issuer %s is right',
  (issuer) => expect(problemsOf({ ...right, issuer })).toBe(''),
)

test.each([
  ['no secret', { 'client-secret': undefined }, 'either client-secret or client-secret-file'],
  ['two secrets', { 'client-secret-file': 'x' }, 'either client-secret or client-secret-file'],
  ['no group', { roles: {} }, 'at least one group'],
  ['an unknown role', { roles: { root: 'x' } }, 'access.oidc.roles.root'],
  ['a scope with a blank', { scopes: ['a b'] }, 'access.oidc.scopes'],
  ['a secret of two lines', { 'client-secret': `${secret}\nx` }, 'access.oidc.client-secret'],
])('%s is refused, and no secret is shown', (_, change, words) => {
  const problems = problemsOf({ ...right, ...change })
  expect(problems).toContain(words)
  expect(problems).not.toContain(secret)
})

const { bytes } = configurationLimits.secretFile

test('a file of 64 KiB is read, and a larger one is refused', async () => {
  const load = async (file: string, content?: string): Promise<string> => {
    const folder = temporaryFolder()
    for (const each of ['trees', 'sub']) mkdirSync(join(folder, each))
    if (content !== undefined) writeBelow(folder, file, content)
    const { 'client-secret': _, ...others } = right
    writeBelow(folder, 'config.yaml', textOf({ ...others, 'client-secret-file': file }))
    return loadConfigFile({ cwd: folder }).then(
      () => '',
      (error: Error) => error.message,
    )
  }
  expect(await load('secret', 'x'.repeat(bytes))).toBe('')
  expect(await load('secret', 'x'.repeat(bytes + 1))).toContain(`more than ${bytes} bytes`)
  expect(await load('secret', ' \n')).toContain('is empty')
  expect(await load('secret')).toContain('does not exist')
  expect(await load('sub')).toContain('is a folder')
  expect(await load('trees/secret', secret)).toContain('served to anyone')
})

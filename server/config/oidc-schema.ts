import { resolve } from 'node:path'
import type { z } from 'zod'
import type { Role } from '../core/access/access.ts'
import type { OidcSettings } from '../core/access/oidc.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { isLoopback } from '../core/net/address.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import { type ProblemList, showPath, whyUnreadable } from './problems.ts'
import type { Config } from './schema.ts'
import { canonical, line, oneOrMore, type SectionOf, section } from './schema-parts.ts'
import type { YamlText } from './yaml.ts'

/** `access.oidc`: signing in by an OpenID provider. */

const issuerText = 'the https URL of an OpenID provider, such as https://login.example.org/realms/house'
const scopeText = 'the name of a scope, such as groups'
const scope = line(scopeText).refine((value) => !/\s/.test(value), scopeText)
const groupText = 'the name of a group'
const groups = oneOrMore(line(groupText), `${groupText}, or a list of names`).optional()
const secretFileText = 'the path of a file with the secret, without ~'

export const oidcSchema = section({
  issuer: canonical(issuerUrl, issuerText),
  'client-id': line('the id by which the provider knows this server'),
  'client-secret': line('the secret of this client').optional(),
  'client-secret-file': line(secretFileText)
    .refine((path) => !path.startsWith('~'), secretFileText)
    .optional(),
  scopes: oneOrMore(scope, `${scopeText}, or a list of names`).optional(),
  'name-claim': line('the name of a claim, such as preferred_username').optional(),
  'groups-claim': line('the name of a claim, such as groups').optional(),
  roles: section({ viewer: groups, operator: groups, admin: groups } satisfies SectionOf<Role>).refine(
    (byRole) => Object.values(byRole).some((names) => names && names.length > 0),
    'at least one group in viewer, operator or admin',
  ),
}).superRefine((oidc, context) => {
  const given = ['client-secret', 'client-secret-file'].filter((key) => key in oidc)
  if (given.length === 1) return
  const message = 'either client-secret or client-secret-file'
  context.addIssue({ code: 'custom', path: given.slice(1), message })
})

/**
 * Plain http only to this machine: whoever answers in place of the provider says who is an admin. The URL stays as it was
 * written, because tokens have the same text.
 */
function issuerUrl(value: string): string | undefined {
  if (!URL.canParse(value)) return undefined
  const { protocol, hostname, search, hash, username, password } = new URL(value)
  if (search || hash || username || password) return undefined
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  const isHere = hostname === 'localhost' || isLoopback(address)
  return protocol === 'https:' || (protocol === 'http:' && isHere) ? value : undefined
}

export function oidcSettings(written: z.output<typeof oidcSchema>, baseFolder: string): OidcSettings {
  const { issuer, roles, scopes = ['openid', 'profile'] } = written
  const file = written['client-secret-file']
  return {
    issuer,
    clientId: written['client-id'],
    ...defined({
      clientSecret: written['client-secret'],
      clientSecretFile: file === undefined ? undefined : resolve(baseFolder, file),
    }),
    scopes,
    nameClaim: written['name-claim'] ?? 'preferred_username',
    groupsClaim: written['groups-claim'] ?? 'groups',
    roles: { viewer: roles.viewer ?? [], operator: roles.operator ?? [], admin: roles.admin ?? [] },
  }
}

/** Reads the file of the secret, so that a missing one is told before anybody signs in. */
export async function checkSecretFile(
  { access }: Config,
  text: YamlText,
  problems: ProblemList,
): Promise<void> {
  const file = access.oidc?.clientSecretFile
  if (file === undefined) return
  const why = await whyNoSecret(file)
  if (why === undefined) return
  const path = ['access', 'oidc', 'client-secret-file']
  problems.add('error', text.position(path, 'value'), `${showPath(path)}: ${file} ${why}`)
}

async function whyNoSecret(file: string): Promise<string | undefined> {
  const { bytes: most } = configurationLimits.secretFile
  try {
    const bytes = await readFileAtMost(file, most)
    if (!bytes) return `has more than ${most} bytes`
    return bytes.toString('utf8').trim() === '' ? 'is empty' : undefined
  } catch (error) {
    return error instanceof Failure ? error.message : whyUnreadable(error as NodeJS.ErrnoException)
  }
}

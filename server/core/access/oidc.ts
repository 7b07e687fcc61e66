import { type Role, roles } from './access.ts'

/** `access.oidc` of the configuration: whose word counts for who a person is (OpenID Connect Core 1.0). */
export interface OidcSettings {
  /** As its documents and tokens write it, to the last slash. */
  readonly issuer: string
  readonly clientId: string
  /** The secret of the client, or the absolute path of the file that has it: one of the two. */
  readonly clientSecret?: string
  readonly clientSecretFile?: string
  readonly scopes: readonly string[]
  /** The claim that becomes the name of the account. */
  readonly nameClaim: string
  /** The claim with the groups of the person. */
  readonly groupsClaim: string
  /** The groups that have each role. */
  readonly roles: Readonly<Record<Role, readonly string[]>>
}

/** An account that a provider vouches for. */
export interface OidcBinding {
  readonly issuer: string
  /** Who it is at that provider: there it is never given to another person (section 2, `sub`). */
  readonly subject: string
  /** The account is disabled because no group of the person had a role at the last sign-in. */
  readonly withoutRole?: true
}

/** Who somebody is, by the word of the provider. */
export interface ProvenPerson {
  readonly issuer: string
  readonly subject: string
  /** The value of the claim; undefined when there is none, or no text. */
  readonly name: string | undefined
  /** Undefined when the provider did not say. */
  readonly groups: readonly string[] | undefined
}

/** The highest role of these groups. */
export function roleOfGroups(groups: readonly string[], byRole: OidcSettings['roles']): Role | undefined {
  const own = new Set(groups)
  return roles.findLast((role) => byRole[role].some((group) => own.has(group)))
}

import { Failure, type FailureKind } from '../../core/failure.ts'

/**
 * What a failure of openid-client 6 means, in one sentence that a person may read. Claims, codes and tokens are in `cause` of
 * its errors, and texts of the provider in their messages: neither is repeated.
 */
export function providerFailure(error: unknown): Failure {
  const facts = factsOf(error)
  if (facts.own) return facts.own
  const [kind, text] = meaningOf(facts)
  const shown = [facts.codes[0], facts.claim, facts.answer].filter((each) => each !== undefined).join(', ')
  return new Failure(kind, shown === '' ? text : `${text} (${shown})`, { forClient: true })
}

interface Facts {
  /** A failure of ours in the chain of causes. */
  readonly own?: Failure
  /** Codes of the error and its causes, the outer ones first: `OAUTH_TIMEOUT`, `ECONNREFUSED`. */
  readonly codes: readonly string[]
  /** The claim of a token, or the attribute of a document, that is another than expected. */
  readonly claim?: string
  /** The error that the provider answered (RFC 6749, 4.1.2.1 and 5.2): `invalid_grant`. */
  readonly answer?: string
  /** The HTTP status of that answer. */
  readonly status?: number
}

const mostCauses = 5

function factsOf(error: unknown): Facts {
  const codes: string[] = []
  let facts: Partial<Facts> = {}
  let at: unknown = error
  for (let depth = 0; depth < mostCauses && typeof at === 'object' && at !== null; depth++) {
    if (at instanceof Failure) return { codes, ...facts, own: at }
    const here = at as Readonly<Record<string, unknown>>
    if (isWord(here.code)) codes.push(here.code)
    const claim = here.claim ?? here.attribute
    if (isWord(claim)) facts = { claim, ...facts }
    if (isWord(here.error)) facts = { answer: here.error, ...facts }
    if (typeof here.status === 'number') facts = { status: here.status, ...facts }
    at = here.cause
  }
  return { codes, ...facts }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-zA-Z_]{1,60}$/.test(value)
}

type Meaning = readonly [FailureKind, string]

const noAnswer: Meaning = ['unavailable', 'the provider of sign-ins does not answer; try again']
const noProvider: Meaning = [
  'unavailable',
  'what answers at access.oidc.issuer does not speak OpenID Connect as expected',
]
const wrongClient: Meaning = [
  'unavailable',
  'the provider does not accept client-id and client-secret of access.oidc',
]
const unsigned: Meaning = ['forbidden', 'the token of the provider is not signed by it']

const comparison = 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED'

/** Codes of openid-client and oauth4webapi. */
const meanings: Readonly<Record<string, Meaning>> = {
  OAUTH_TIMEOUT: noAnswer,
  OAUTH_RESPONSE_IS_NOT_CONFORM: noProvider,
  OAUTH_RESPONSE_IS_NOT_JSON: noProvider,
  OAUTH_PARSE_ERROR: noProvider,
  OAUTH_MISSING_SERVER_METADATA: noProvider,
  OAUTH_INVALID_SERVER_METADATA: noProvider,
  OAUTH_HTTP_REQUEST_FORBIDDEN: ['unavailable', 'the provider names an address without https'],
  [comparison]: [
    'unavailable',
    'the provider calls itself otherwise than access.oidc.issuer; write it exactly so, to the last slash',
  ],
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED: [
    'forbidden',
    'the token of the provider is too old or too new: the clocks of this server and the provider must agree to half a minute',
  ],
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: ['forbidden', 'the token of the provider was made for something else'],
  OAUTH_KEY_SELECTION_FAILED: unsigned,
  OAUTH_UNSUPPORTED_OPERATION: unsigned,
  OAUTH_INVALID_RESPONSE: [
    'forbidden',
    'the answer of the provider is not right: it is not signed by it, or belongs to another sign-in',
  ],
  OAUTH_WWW_AUTHENTICATE_CHALLENGE: wrongClient,
}

function meaningOf({ codes, claim, answer, status = 0 }: Facts): Meaning {
  const isAnswer =
    codes[0] === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR' || codes[0] === 'OAUTH_RESPONSE_BODY_ERROR'
  if (isAnswer) return meaningOfAnswer(answer, status)
  // The issuer is compared in the discovery document, and the subject in UserInfo.
  const code = codes[0] === comparison && claim === 'sub' ? 'OAUTH_JWT_CLAIM_COMPARISON_FAILED' : codes[0]
  return meanings[code ?? ''] ?? noAnswer
}

function meaningOfAnswer(answer: string | undefined, status: number): Meaning {
  if (answer === 'invalid_grant')
    return ['bad-request', 'the code of the provider has expired, or was used already; sign in again']
  if (answer === 'invalid_client' || answer === 'unauthorized_client') return wrongClient
  if (status >= 500 || answer === 'server_error' || answer === 'temporarily_unavailable') return noAnswer
  return ['forbidden', 'the provider did not let you in']
}

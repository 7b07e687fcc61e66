import { Failure, failureMessage } from '../../core/failure.ts'

const certificate =
  'its certificate is not trusted here; NODE_EXTRA_CA_CERTS=FILE names the certificate of its authority'

/** By the code of the error of Node and undici, of which `fetch` itself only says "fetch failed". */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; is the server running, and is the port right?',
  ECONNRESET: 'it ended the connection',
  UND_ERR_SOCKET: 'it ended the connection',
  ENOTFOUND: 'no such name is known here',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it from here',
  ENETUNREACH: 'there is no way to it from here',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it stopped in the middle of its answer',
  DEPTH_ZERO_SELF_SIGNED_CERT: certificate,
  SELF_SIGNED_CERT_IN_CHAIN: certificate,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: certificate,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: certificate,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; use http://',
}

/** What an error of `fetch` says of a server. */
export function unreachable(url: string, error: unknown): Failure {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
  const why = code.startsWith('HPE_') ? 'it does not speak HTTP' : (reasons[code] ?? failureMessage(cause))
  return new Failure('unavailable', `${url} cannot be asked: ${why}`, { cause: error })
}

/** Of several addresses that were tried, the last has failed as the others. */
function codeOf(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors.at(-1) : error
  const code = (inner as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' ? code : ''
}

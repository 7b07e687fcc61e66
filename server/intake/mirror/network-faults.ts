import { Failure, failureMessage } from '../../core/failure.ts'
import { TransientFailure } from './upstream.ts'

/** What codes of the network's errors say to people. Node has the codes of POSIX, and two of getaddrinfo(3). */
const plainWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the other side closed the connection',
  ENOTFOUND: 'the name of the server cannot be resolved',
  EAI_AGAIN: 'the name of the server cannot be resolved now',
  ETIMEDOUT: 'the server does not answer',
  EHOSTUNREACH: 'no way leads to the server',
  ENETUNREACH: 'no way leads to the network of the server',
}

/** The codes by which OpenSSL and Node refuse a certificate (X509_verify_cert_error_string(3), Node's tls). */
const certificateFault =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/

/**
 * The failure of a request that has no response: a network that may be there at the next try, or a certificate, which
 * will be the same then.
 */
export function connectionFailure(where: string, error: unknown): Failure {
  const fault = firstFault(error)
  const code = codeOf(fault)
  const message = failureMessage(fault)
  if (certificateFault.test(code))
    return new Failure(
      'unsupported',
      `${where}: the certificate of the server is not trusted (${message}); ${remedyOf(code)}`,
      { cause: error },
    )
  const words = plainWords[code]
  const what = words === undefined ? message : `${words} (${message})`
  return new TransientFailure(`${where}: ${what}`, { isOfServer: true, cause: error })
}

/** Node tries every address of a name, and wraps their errors into one without a message. */
function firstFault(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors[0] ?? error) : error
}

function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : ''
}

function remedyOf(code: string): string {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'look at the clock of this machine, or take another mirror'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH')
    return 'write the name that it is made for into the URL, or take another mirror'
  return 'name the file with the certificate of its authority in NODE_EXTRA_CA_CERTS, or take another mirror'
}

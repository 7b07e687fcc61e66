import type { Request } from 'express'
import { Failure } from '../../core/failure.ts'
import { reports } from '../../core/guest/state.ts'
import { isLoopback, plainAddress } from '../../core/net/address.ts'
import type { ReportOf } from '../../machines/history.ts'

const longestDetail = 500

/**
 * Reads what a guest says of itself: `POST .../installed/<token>`, with a line of detail as `?message=` or as `detail` in a JSON
 * body if it likes. The token stands in the path, where debian-installer's wget and every proxy leave it alone.
 */
export function reportOf(req: Request): ReportOf {
  const { report, token } = req.params
  const known = reports.find((each) => each === report)
  if (!known)
    throw new Failure('not-found', `no report ${String(report)}: expected one of ${reports.join(', ')}`)
  const detail = req.query.message ?? (req.body as { detail?: unknown } | undefined)?.detail
  const client = plainAddress(req.socket.remoteAddress ?? '')
  return {
    report: known,
    ...(typeof token === 'string' && { token }),
    client,
    local: isLocal(req, client),
    ...(typeof detail === 'string' && detail !== '' && { detail: detail.slice(0, longestDetail) }),
  }
}

/** From this very machine, and not handed on by a proxy that runs on it. */
function isLocal(req: Request, client: string): boolean {
  if (req.headers['x-forwarded-for'] !== undefined || req.headers.forwarded !== undefined) return false
  return isLoopback(client) || client === plainAddress(req.socket.localAddress ?? '')
}

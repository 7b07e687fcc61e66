import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { defined } from '../../core/defined.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { reports } from '../../core/guest/state.ts'
import { reportsWithToken } from '../../core/kickstart/report-token.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { isLoopback } from '../../core/net/address.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { ApiContext, Reply } from '../route.ts'
import { guestNamed } from './guests.ts'

/** In characters: a detail becomes one line of the guest's history. */
const longestDetail = requestLimits.reportDetail.bytes

/** One line for people. A detail that is not a text is dropped, and the report still counts. */
const detail = z
  .string()
  .min(1)
  .transform((text) => text.slice(0, longestDetail))
  .optional()
  .catch(undefined)

/**
 * The token is part of the path and not of the query or a header: a path is what debian-installer's wget and
 * proxies pass on unchanged.
 */
export const reportParams = z.object({
  name: z.string(),
  report: z.enum(reports, `one of ${reports.join(', ')}`),
  token: z.string().optional(),
})
export const reportQuery = z.object({ message: detail })
export const reportBody = z.object({ detail }).catch({})

interface ReportCall {
  readonly params: z.output<typeof reportParams>
  readonly query: z.output<typeof reportQuery>
  readonly body: z.output<typeof reportBody>
  readonly who: Requester
  readonly req: IncomingMessage
}

/** Stores an installer's report. A line of detail may come as `?message=` or as `detail` in a JSON body. */
export async function report(call: ReportCall, { snapshot, machines }: ApiContext): Promise<Reply> {
  const { params, query, body, who, req } = call
  const current = snapshot()
  const guest = guestNamed(current, params.name)
  const isForwarded = wasForwarded(req)
  await machines.report(guest, {
    report: params.report,
    client: who.address,
    local: !isForwarded && isLocal(who),
    isForwarded,
    needsToken: needsToken(guest, current),
    ...defined({ token: params.token, detail: query.message ?? body.detail }),
  })
  return { status: 204 }
}

/** Unless the operator says otherwise, a token is needed where the guest's answer file has it. */
function needsToken(guest: Guest, { config, templates }: Snapshot): boolean {
  const template = guest.settings.template?.value
  return config.reports.requireToken ?? (template !== undefined && reportsWithToken(template, templates))
}

function wasForwarded({ headers }: IncomingMessage): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined
}

/** Whether a request comes from treeboot's own machine. */
function isLocal({ address, localAddress }: Requester): boolean {
  return isLoopback(address) || address === localAddress
}

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
import { guestNamed } from '../guest-named.ts'
import { route } from '../route.ts'

/** In characters: a detail becomes one line of the guest's history. */
const longestDetail = requestLimits.reportDetail.bytes

/** One line for people. A detail that is not a text is dropped, and the report still counts. */
const detail = z
  .string()
  .min(1)
  .transform((text) => text.slice(0, longestDetail))
  .optional()
  .catch(undefined)
  .meta({ type: 'string', description: 'one line for people' })

const formType = 'application/x-www-form-urlencoded'

/**
 * What a form says in one line. cloud-init's module phone_home (22.4 and later) posts `instance_id`, `hostname`, `fqdn` and
 * the public host keys, with `N/A` for what it does not have.
 */
function formDetail(form: string): string | undefined {
  const fields = new URLSearchParams(form)
  const known = (name: string): string | undefined => {
    const value = fields.get(name)?.trim()
    return value === '' || value === 'N/A' ? undefined : value
  }
  const said = known('detail') ?? known('message')
  const [instance, host] = [known('instance_id'), known('fqdn') ?? known('hostname')]
  if (said !== undefined || (instance === undefined && host === undefined)) return said
  return `cloud-init${host ? ` of ${host}` : ''}${instance ? `, instance ${instance}` : ''}`
}

/** A body that is no report counts as none. */
const reportBody = z.preprocess(
  (body) => (typeof body === 'string' ? { detail: formDetail(body) } : body),
  z.object({ detail }).catch({}),
)

/**
 * The token is part of the path and not of the query or a header: a path is what debian-installer's wget and
 * proxies pass on unchanged.
 */
const reportParams = z.object({
  name: z.string(),
  report: z
    .enum(reports as readonly [string, ...string[]], `one of ${reports.join(', ')}`)
    .transform((report) => report as (typeof reports)[number]),
  token: z.string().optional(),
})

export const reportRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/guests/:name/:report{/:token}',
    operation: 'report',
    summary: 'an installer reports how far it is',
    description:
      'A line of detail may come as `?message=`, or as `detail` in a JSON body or a form. The form that `phone_home` of cloud-init posts is read, too.',
    access: 'everybody',
    failures: ['forbidden'],
    params: reportParams,
    query: z.object({ message: detail }),
    body: reportBody.meta({ type: 'object' }),
    bodyTypes: ['application/json', formType],
    answers: { 204: {} },
    // Needs no `readsGuests`: a report reads what other processes wrote before it writes.
    async handle({ params, query, body, who, req }, { snapshot, machines }) {
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
    },
  }),
] as const

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

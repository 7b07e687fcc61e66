import { z } from 'zod'
import { hasRole } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { missingText } from '../../core/loader/dhcp-plan.ts'
import { packageFamily } from '../../host/package-family.ts'
import { dhcpConfig, dhcpServerNames, renderDhcpConfig } from '../../namespace/dhcp-config.ts'
import { type LoaderReport, loaderReport, loaderTable } from '../../namespace/loader-report.ts'
import type { ApiContext } from '../context.ts'
import { json, needs, route } from '../route.ts'
import { dhcpConfig as dhcpConfigSchema, loaderReport as loaderReportSchema } from '../schemas/loaders.ts'

const access = needs('viewer')
const plainText = { 'Content-Type': 'text/plain; charset=utf-8' }
const address = z
  .string()
  .optional()
  .meta({ description: 'by which machines reach treeboot; default: its first address' })

/** Boot loaders, and what other DHCP servers must say of them, as the commands print them. */
export const loaderRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/loaders',
    operation: 'getLoaders',
    summary: 'the boot loaders: where each comes from, and which package has the missing ones',
    access,
    query: z.object({
      as: z.enum(['json', 'text'], 'json or text').default('json').meta({ description: 'text: a table' }),
    }),
    answers: { 200: { schema: loaderReportSchema, type: 'text/plain' } },
    async handle({ query, caller }, { snapshot }) {
      const report = await loaderReport(snapshot(), await packageFamily())
      // Only the administrator is told paths of this machine.
      const shown = caller && hasRole(caller, 'admin') ? report : withoutFiles(report)
      return query.as === 'json' ? { json: shown } : { headers: plainText, text: loaderTable(shown) }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/dhcp-config',
    operation: 'getDhcpRules',
    summary: 'what another DHCP server must tell each kind of machine, so that it boots from here',
    access,
    query: z.object({ address }),
    answers: { 200: json(dhcpConfigSchema) },
    async handle({ query }, context) {
      const { plan, notes } = await configFor(query.address, context)
      return { json: { ...plan, notes } }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/dhcp-config/:server',
    operation: 'getDhcpConfig',
    summary: 'the same as the configuration of a DHCP server',
    access,
    params: z.object({ server: z.enum(dhcpServerNames, `one of ${dhcpServerNames.join(', ')}`) }),
    query: z.object({ address }),
    answers: { 200: { type: 'text/plain' } },
    async handle({ query, params: { server } }, context) {
      const { plan } = await configFor(query.address, context)
      return { headers: plainText, text: renderDhcpConfig(server, plan) }
    },
  }),
] as const

function withoutFiles(report: LoaderReport): LoaderReport {
  return { ...report, loaders: report.loaders.map(({ file: _, ...line }) => line) }
}

async function configFor(asked: string | undefined, { snapshot, services }: ApiContext) {
  const { plan, notes } = await dhcpConfig({
    snapshot: snapshot(),
    services: services(),
    isRunning: true,
    family: await packageFamily(),
    ...defined({ address: asked === '' ? undefined : asked }),
  })
  const missing = missingText(plan)
  return { plan, notes: missing === undefined ? notes : [...notes, missing] }
}

import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { exportFormats, exportGuests } from '../../definitions/export/export-guests.ts'
import { importFormatNames } from '../../definitions/import/formats.ts'
import { importGuests } from '../../definitions/import/import-guests.ts'
import { actorOf } from '../actor.ts'
import { firstBoot, requireFirstBoot } from '../first-boot.ts'
import { guestNamed } from '../guest-named.ts'
import { flag } from '../input.ts'
import { requireReveal } from '../reveal.ts'
import { json, needs, route } from '../route.ts'
import { guestImport } from '../schemas/definitions.ts'

/** So many names of new guests are in the audit. */
const mostAudited = 100

const importQuery = z.object({
  from: z
    .enum(importFormatNames, `one of ${importFormatNames.join(', ')}`)
    .optional()
    .meta({ description: 'what the text is; without it, what it looks like' }),
  profile: z.string().optional().meta({ description: 'the profile of all imported guests' }),
  'skip-faulty': flag.meta({
    type: 'boolean',
    description: 'make what is right; else one wrong entry stops all',
  }),
  'dry-run': flag.meta({ type: 'boolean', description: 'say what would be made, and make nothing' }),
  firstBoot,
})

const exportQuery = z.object({
  as: z.enum(exportFormats, `one of ${exportFormats.join(', ')}`).default('csv'),
  guest: z
    .union([z.string().transform((name) => [name]), z.array(z.string()).max(10_000)])
    .optional()
    .meta({ description: 'the name of a guest; may be given several times. Default: all' }),
  list: flag.meta({
    type: 'boolean',
    description: 'of an inventory: the JSON that Ansible expects of an inventory script',
  }),
  host: z.string().optional().meta({ description: 'of an inventory: the variables of this guest' }),
  'with-secrets': flag.meta({ type: 'boolean', description: 'needs `answers:reveal`' }),
})

/** Guests from files of other programs, and for them. */
export const guestFileRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/imports/guests',
    operation: 'importGuests',
    summary: 'makes guests of a table, or of the hosts that another server names',
    description:
      'CSV, or the configuration of dnsmasq, ISC dhcpd or Kea, systems of Cobbler, or /etc/ethers. Each entry has a result. A guest of the same name stays as it is. The new guests boot their own disks unless firstBoot is install.',
    access: needs('operator', 'guests:write'),
    failures: ['conflict', 'invalid-data', 'not-found', 'read-only'],
    makes: true,
    query: importQuery,
    body: z.string('the text of the file'),
    bodyTypes: ['text/plain'],
    bodyBytes: configurationLimits.guestsToImport.bytes,
    answers: { 200: json(guestImport) },
    async handle(call, { definitions, snapshot, machines, catalog, accounts }) {
      const {
        from: format,
        profile,
        'skip-faulty': skipFaulty,
        'dry-run': dryRun,
        firstBoot: first,
      } = call.query
      requireFirstBoot(first, call)
      const { guests, profiles } = snapshot()
      const made = await importGuests(
        { text: call.body, skipFaulty, dryRun, ...defined({ format, profile }) },
        {
          definitions,
          guests: guests.all,
          profiles,
          async before(names) {
            if (first === 'local') await machines.keepLocal(names)
            const why = machines.whyNotWritable()
            if (why !== undefined) throw new Failure('unavailable', why)
          },
        },
      )
      if (made.changed) {
        await catalog.readConfig()
        const names = made.entries.flatMap(({ result, name }) => (result === 'added' && name ? [name] : []))
        const after = { number: names.length, names: names.slice(0, mostAudited), firstBoot: first }
        await accounts.audit.write(actorOf(call), { action: 'guests.import', target: made.format, after })
      }
      return { json: { ...made, entries: [...made.entries] } }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/exports/guests',
    operation: 'exportGuests',
    summary: 'the guests as CSV, JSON or an inventory of Ansible',
    description:
      'CSV and JSON have the definitions as they are written; POST /imports/guests reads the CSV. The inventory has all variables of a guest. The header Treeboot-Secrets-Left-Out says how many values were left out.',
    access: needs('viewer', 'guests:read'),
    readsGuests: true,
    failures: ['not-found'],
    query: exportQuery,
    answers: { 200: { type: 'text/plain', headers: { 'Treeboot-Secrets-Left-Out': 'a number' } } },
    async handle(call, { definitions, snapshot }) {
      const { as, guest, list, host, 'with-secrets': withSecrets } = call.query
      if (as !== 'ansible' && (list || host !== undefined))
        throw new Failure('bad-request', 'list and host belong to as=ansible')
      if (withSecrets) requireReveal(call)
      const current = snapshot()
      const names = host === undefined ? guest : [host]
      const { text, left } = await exportGuests(
        { as, list, withSecrets, ...defined({ host }) },
        {
          definitions,
          profiles: current.profiles,
          guests: names ? names.map((name) => guestNamed(current, name)) : current.guests.all,
        },
      )
      const headers = {
        'Content-Type': `${mediaTypes[list || host !== undefined ? 'json' : as]}; charset=utf-8`,
        'Cache-Control': 'no-store',
        'Treeboot-Secrets-Left-Out': String(left),
      }
      return { headers, text }
    },
  }),
] as const

const mediaTypes = { csv: 'text/csv', json: 'application/json', ansible: 'application/yaml' } as const

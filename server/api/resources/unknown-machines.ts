import { z } from 'zod'
import { listQuery, pageOf } from '../lists.ts'
import { json, needs, type Route, route } from '../route.ts'
import { unknownMachinePage } from '../schemas/guests.ts'
import { machineView } from '../views.ts'

const filters = {
  q: z.string().optional().meta({ description: 'a part of its MAC, UUID, serial number, vendor or address' }),
}

export const unknownMachineRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/inbox',
    operation: 'listUnknownMachines',
    summary: 'machines that asked for network boot and are not guests',
    access: needs('viewer', 'guests:read'),
    readsGuests: true,
    query: listQuery(['-last', 'last', 'first', 'id', 'count'], filters),
    answers: { 200: json(unknownMachinePage) },
    async handle({ query }, { machines }) {
      const q = query.q?.toLowerCase()
      const { items, ...page } = pageOf(await machines.unknownMachines(), query, {
        idOf: ({ id }) => id,
        keys: { last: ({ lastMs }) => lastMs, first: ({ firstMs }) => firstMs, count: ({ count }) => count },
        isWanted: q === undefined ? undefined : (each) => JSON.stringify(each).toLowerCase().includes(q),
      })
      return { json: { items: items.map(machineView), ...page } }
    },
  }),
]

import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import type { UnknownMachine } from '../../core/guest/seen-machine.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { canonicalUuid } from '../../core/net/uuid.ts'
import { adoptedText } from '../../definitions/add-guest.ts'
import { starredData } from '../../definitions/shown-difference.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { dryRun, etagHeader, inForce, locationOf } from '../definition-resource.ts'
import { triedView } from '../definition-views.ts'
import { firstBoot, prepareGuest, requireFirstBoot } from '../first-boot.ts'
import { listQuery, pageOf } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { setChange } from '../schemas/definitions.ts'
import { unknownMachinePage } from '../schemas/guests.ts'
import { machineView } from '../views.ts'

const filters = {
  q: z.string().optional().meta({ description: 'a part of its MAC, UUID, serial number, vendor or address' }),
}

const one = '/api/v1/inbox/:id'
const params = z.object({ id: z.string() })
const writes = needs('operator', 'guests:write')

const profile = z
  .union([z.string(), z.array(z.string()).max(100)], 'the name of a profile, or a list of names')
  .default([])

export const unknownMachineRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/inbox',
    operation: 'listUnknownMachines',
    summary: 'machines that asked for network boot and are not guests',
    access: needs('viewer', 'guests:read'),
    readsGuests: true,
    query: listQuery(['-last', 'last', 'first', 'id', 'count'], filters),
    answers: { 200: json(unknownMachinePage) },
    async handle({ query }, { machines, snapshot }) {
      const q = query.q?.toLowerCase()
      const { items, ...page } = pageOf(await machines.unknownMachines(), query, {
        idOf: ({ id }) => id,
        keys: { last: ({ lastMs }) => lastMs, first: ({ firstMs }) => firstMs, count: ({ count }) => count },
        isWanted: q === undefined ? undefined : (each) => JSON.stringify(each).toLowerCase().includes(q),
      })
      const { selectors } = snapshot()
      return { json: { items: items.map((each) => machineView(each, selectors)), ...page } }
    },
  }),
  route({
    method: 'POST',
    path: `${one}/adopt`,
    operation: 'adoptMachine',
    summary: 'makes an unknown machine a guest, in a file of its own',
    description: 'The guest is known by the MAC of the machine, or by its UUID while no MAC is known.',
    access: writes,
    failures: ['conflict', 'invalid-data', 'read-only'],
    makes: true,
    params,
    query: z.object(dryRun),
    body: z.object({ name: z.string('a name'), profile, firstBoot }).meta({ id: 'Adoption' }),
    answers: {
      200: json(setChange),
      201: json(setChange, { ...etagHeader, Location: 'the path of the new definition' }),
    },
    async handle(call, context) {
      const { name, profile: profiles, firstBoot: first } = call.body
      requireFirstBoot(first, call)
      const machine = await machineNamed(call.params.id, context)
      const text = adoptedText(machine, [profiles].flat())
      const { definitions } = context
      const dryRun = call.query['dry-run']
      const before = () => prepareGuest(name, first, context)
      const made = await definitions.write('guest', name, text, { dryRun, before })
      if (dryRun) return { json: triedView(name, made) }
      const after = { machine: machine.id, firstBoot: first, definition: starredData(made.after) }
      const deed = { action: 'adopt', after }
      const reply = await inForce({ kind: 'guest', name, call }, made, context, deed)
      return { ...reply, status: 201, headers: { ...reply.headers, Location: locationOf('guest', name) } }
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    operation: 'dropMachine',
    summary: 'takes an unknown machine off the list, until it asks again',
    access: writes,
    failures: ['conflict'],
    params,
    answers: { 204: {} },
    async handle(call, context) {
      const machine = await machineNamed(call.params.id, context)
      await context.machines.forgetUnknownMachine(machine.id)
      const before = machineView(machine, context.snapshot().selectors)
      await context.accounts.audit.write(actorOf(call), { action: 'inbox.drop', target: machine.id, before })
      return { status: 204 }
    },
  }),
] as const

/**
 * @param asked Its MAC or UUID, in any spelling.
 * @throws Failure `not-found`; `conflict` for a machine that is a guest, and for a UUID that several machines have, as
 *   vendors leave it in many boards.
 */
async function machineNamed(asked: string, { machines, snapshot }: ApiContext): Promise<UnknownMachine> {
  const mac = canonicalMac(asked)
  const id = mac ?? canonicalUuid(asked)
  const all = id === undefined ? [] : await machines.unknownMachines()
  const [exact] = all.filter((machine) => machine.id === id)
  const [found, second] = exact ? [exact] : all.filter(({ uuid }) => uuid === id)
  if (second) throw new Failure('conflict', `several machines say that they are ${id}; name one by its MAC`)
  if (found) return found
  const facts = mac === undefined ? { uuid: asked } : { macs: [mac] }
  const guest = id === undefined ? undefined : snapshot().guests.match(facts)?.guest
  if (guest)
    throw new Failure('conflict', `${id} is guest ${guest.name} already, defined at ${guest.definedAt}`)
  throw new Failure(
    'not-found',
    `${asked.slice(0, 60)} is not in the inbox; /api/v1/inbox lists its machines`,
  )
}

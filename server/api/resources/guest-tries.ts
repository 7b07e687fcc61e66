import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { tryBoot } from '../../dryboot/try-boot.ts'
import { ownRequester } from '../../machines/own-requester.ts'
import { guestNamed } from '../guest-named.ts'
import { wholeList } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { testFirmware, triedBootPage } from '../schemas/tries.ts'

/** Boots that are tried. It changes nothing, so whoever may see guests may do it. */
export const guestTryRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/guests/:name/try',
    operation: 'tryBoot',
    summary: 'tries a network boot of the guest: every file on its way, or the first that is not right',
    description:
      'Nothing is sent to a network, and nothing is changed. One boot for each kind of firmware; one request of each caller at a time.',
    access: needs('viewer', 'guests:read'),
    readsGuests: true,
    params: z.object({ name: z.string() }),
    body: z
      .object({
        firmware: z
          .union([testFirmware, z.literal('all')], 'a kind of firmware, or all')
          .optional()
          .meta({
            description:
              'default: what its machine showed last, else all that one of its architecture may have',
          }),
        as: z.enum(['next-boot', 'install'], 'next-boot or install').default('next-boot').meta({
          description: 'install: as if it had been ordered now',
        }),
        'secure-boot': z.boolean('true or false').default(false).meta({
          description: 'with UEFI: as firmware that starts only what is signed',
        }),
      })
      .default({ as: 'next-boot', 'secure-boot': false })
      .meta({ id: 'Try' }),
    answers: { 200: json(triedBootPage) },
    handle: (call, { snapshot, services, machines, spare, turns }) =>
      turns.take('a boot is tried', call, async () => {
        const now = snapshot()
        const found = guestNamed(now, call.params.name)
        const { firmware, as, 'secure-boot': secureBoot } = call.body
        const seen = await machines.seenMachines()
        const boots = await spare.use((renderer) =>
          tryBoot(
            found,
            { as, secureBoot, ...defined({ firmware }) },
            {
              snapshot: now,
              services: services(),
              machines,
              renderer,
              who: ownRequester(now.config),
              seen,
            },
          ),
        )
        return { json: wholeList(boots) }
      }),
  }),
] as const

import { z } from 'zod'
import { whyNotAllowed } from '../../core/access/access.ts'
import { selectForGuest, whyNoTree } from '../../core/boot/plan-boot.ts'
import { machineFirmware, type VmFirmware } from '../../core/boot/test-firmware.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { tryBoot } from '../../dryboot/try-boot.ts'
import { ownRequester } from '../../machines/own-requester.ts'
import type { ApiContext } from '../context.ts'
import { guestNamed } from '../guest-named.ts'
import { wholeList } from '../lists.ts'
import { type Call, json, needs, route } from '../route.ts'
import { vmFirmware } from '../schemas/boot-tests.ts'
import { job } from '../schemas/jobs.ts'
import { triedBootPage } from '../schemas/tries.ts'
import { type JobReply, location, startJob } from './jobs.ts'

/** Boots that are tried. It changes nothing, so whoever may see guests may do it. */
export const guestTryRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/guests/:name/try',
    operation: 'tryBoot',
    summary: 'tries a network boot of the guest: every file on its way, or the first that is not right',
    description:
      'Nothing is sent to a network, and nothing is changed. One boot for each kind of firmware; one request of each caller at a time. With `vm` it starts a job instead (202, role operator), which boots emulated machines from the tree of the guest.',
    access: needs('viewer', 'guests:read'),
    failures: ['conflict'],
    readsGuests: true,
    params: z.object({ name: z.string() }),
    body: z
      .object({
        firmware: z
          .union([vmFirmware, z.literal('all')], 'a kind of firmware, or all')
          .optional()
          .meta({
            description:
              'default: what its machine showed last, else all that one of its architecture may have; with `vm`: `bios` and `uefi-x64`. `secure-boot` is for `vm`',
          }),
        as: z.enum(['next-boot', 'install'], 'next-boot or install').default('next-boot').meta({
          description: 'install: as if it had been ordered now',
        }),
        'secure-boot': z.boolean('true or false').default(false).meta({
          description: 'with UEFI: as firmware that starts only what is signed',
        }),
        vm: z.boolean('true or false').default(false).meta({
          description: 'boot emulated machines from its tree, as a job; they are not the guest',
        }),
      })
      .default({ as: 'next-boot', 'secure-boot': false, vm: false })
      .meta({ id: 'Try' }),
    answers: { 200: json(triedBootPage), 202: json(job, location) },
    async handle(call, context) {
      if (call.body.vm) return tryByMachine(call, context)
      const { snapshot, services, machines, spare, turns } = context
      const { firmware, as, 'secure-boot': secureBoot } = call.body
      if (firmware === 'secure-boot')
        throw new Failure('bad-request', 'secure-boot is a kind of firmware for vm; say secure-boot: true')
      return turns.take('a boot is tried', call, async () => {
        const now = snapshot()
        const found = guestNamed(now, call.params.name)
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
      })
    },
  }),
] as const

const order = needs('operator', 'guests:order')

interface MachineCall extends Call<{ readonly name: string }> {
  readonly body: {
    readonly firmware?: VmFirmware | 'all' | undefined
    readonly as: 'next-boot' | 'install'
    readonly 'secure-boot': boolean
  }
}

/** A machine costs minutes of the server, hence whoever may only look at guests may not start it. */
function tryByMachine(call: MachineCall, context: ApiContext): Promise<JobReply> {
  const why = call.caller ? whyNotAllowed(call.caller, order) : 'it needs an account'
  if (why !== undefined) throw new Failure('forbidden', `booting a machine: ${why}`)
  const { firmware, as, 'secure-boot': secureBoot } = call.body
  if (as === 'install')
    throw new Failure('bad-request', 'as: install and vm: a machine boots the installer anyway')
  const now = context.snapshot()
  const guest = guestNamed(now, call.params.name)
  const selection = selectForGuest(guest, now.trees, context.machines.stateOf(guest.name))
  if (!selection.found) throw new Failure('conflict', whyNoTree(selection))
  const wanted = { secureBoot, ...(firmware === 'all' ? { all: true } : defined({ firmware })) }
  return startJob(call, context, {
    kind: 'boot-test',
    tree: selection.tree.id,
    firmware: [...machineFirmware(wanted)],
  })
}

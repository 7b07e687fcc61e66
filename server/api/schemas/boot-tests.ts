import { z } from 'zod'
import { vmFirmwares } from '../../core/boot/test-firmware.ts'
import { reachPoints } from '../../core/boottest/result.ts'
import { listOf, pageOf, text, time } from './common.ts'

export const vmFirmware = z.enum(vmFirmwares, `one of ${vmFirmwares.join(', ')}`)

export const bootTestResult = z
  .object({
    firmware: vmFirmware,
    outcome: z.enum(['passed', 'failed', 'impossible']).meta({
      description: '`impossible`: not possible on this server, which says nothing about the version',
    }),
    reached: listOf(z.enum(reachPoints)).meta({ description: 'for `passed`: what the machine showed' }),
    ms: z
      .int()
      .nullable()
      .meta({ description: 'from switching the machine on to its last point, or its end' }),
    why: text.nullable().meta({
      description:
        'what was seen of a machine that failed; or what is missing here, and the package that has it',
    }),
    untested: text.nullable().meta({ description: 'for `passed`: what the test says nothing of' }),
  })
  .meta({ id: 'BootTestResult' })

/** How far a boot test is, in a job and in the list of all. */
export const bootTestProgress = z.object({
  tree: text,
  state: z.enum(['starting', 'queued', 'held', 'booting']).meta({
    description:
      '`queued`: tests that came earlier run or wait. `held`: a machine may be switched on only later. `booting`: one runs',
  }),
  place: z.int().nullable().meta({ description: 'for `queued`: 1 is the next one' }),
  waiting: z.int().nullable().meta({ description: 'for `queued`: how many wait' }),
  why: text.nullable().meta({ description: 'for `held`: why' }),
  firmware: listOf(vmFirmware).meta({
    description: 'what is to be tested; for `booting` the machine that runs',
  }),
  results: listOf(bootTestResult).meta({ description: 'of the machines before' }),
  words: text.meta({ description: 'the same for people: `boot test of fedora-40: uefi-x64, place 2 of 3`' }),
})

export const openBootTest = bootTestProgress
  .extend({
    number: z.int().meta({ description: 'counts up from 1 since the start of the server' }),
    since: time,
  })
  .meta({ id: 'OpenBootTest' })

export const openBootTestPage = pageOf(openBootTest, 'OpenBootTestPage')

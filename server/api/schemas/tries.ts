import { z } from 'zod'
import { testFirmwares } from '../../core/boot/test-firmware.ts'
import { listOf, pageOf, text } from './common.ts'

export const testFirmware = z.enum(testFirmwares, `one of ${testFirmwares.join(', ')}`)

const step = z
  .object({
    what: text.meta({ description: '`dhcp`, `loader`, `configuration`, `kernel`, `answer file`, ...' }),
    protocol: text.meta({ description: '`internal` for a decision that no request asks for' }),
    asked: text.meta({ description: 'the path, the URL or the packet in words' }),
    outcome: z.enum(['ok', 'absent', 'skipped', 'failed']).meta({
      description:
        'absent: the client does without, and asks for the next name. skipped: it was not tried. failed: the machine goes no further.',
    }),
    path: text.optional().meta({ description: 'of the file below this server' }),
    bytes: z.int().optional(),
    came: text.optional().meta({ description: 'what came, in words' }),
    why: text.optional(),
    remedy: text.optional(),
    notes: listOf(text).optional().meta({ description: 'what does not end this boot, and may end another' }),
  })
  .meta({ id: 'TriedStep' })

const triedBoot = z
  .object({
    guest: text,
    firmware: testFirmware,
    as: z.enum(['next-boot', 'install']),
    ok: z.boolean(),
    end: text.meta({ description: 'what the machine does at the end; of a boot that fails, where it stops' }),
    steps: listOf(step).meta({ description: 'in their order; the last is the one that failed' }),
  })
  .meta({ id: 'TriedBoot' })

export const triedBootPage = pageOf(triedBoot, 'TriedBootPage')

import { z } from 'zod'
import { selectorActions } from '../../core/guest/selectors.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { importFormatNames } from '../../definitions/import/formats.ts'
import { entryOutcomes } from '../../definitions/import/import-guests.ts'
import { listOf, pageOf, text, time } from './common.ts'

const mostValues = requestLimits.definitionBody.entries
/** What `isPlain` asks for. */
export const plainText = `at most ${configurationLimits.yaml.depth} levels and ${mostValues} values, and no key __proto__`

/** A definition is a mapping, whose keys `treeboot config-schema` describes. What is wrong in it is told by their names. */
export const mapping = z
  .record(z.string(), z.unknown(), 'a mapping of keys to values')
  .refine(isPlain, plainText)
  .meta({
    id: 'DefinitionData',
    description:
      'the keys of the definition, as in its file; the stars in `***` stand for a secret that is there',
  })

export const definition = z
  .object({
    name: text,
    where: text.meta({
      description: 'its file: `guests.d/web02.yaml`; or `config.yaml:21`, which only people change',
    }),
    etag: text.nullable().meta({ description: 'for `If-Match`; null in config.yaml' }),
    readOnly: text.nullable().meta({ description: 'why it may not be changed here; null when it may' }),
    data: mapping.nullable().meta({ description: 'null where the file cannot be read as a mapping' }),
    text: text.nullable().meta({ description: 'the file with its comments; null where it has secrets' }),
  })
  .meta({ id: 'Definition' })

const difference = text.meta({ description: 'the lines that were removed and added, with secrets starred' })

export const change = {
  name: text,
  where: text,
  etag: text.nullable().meta({ description: 'after the change; null when it was removed' }),
  changed: z.boolean().meta({ description: 'false when it was so already, and with `dry-run`' }),
  difference,
}

export const others = listOf(z.object({ where: text, difference })).meta({
  description: 'what it changes in other files: those that name it, and the file that goes',
})

export const setChange = z.object({ ...change, others }).meta({ id: 'DefinitionChange' })

export const renamed = z
  .object({
    ...change,
    others,
    note: text.nullable().meta({ description: 'what follows of it: a guest may be held under its new name' }),
  })
  .meta({ id: 'DefinitionRename' })

const nullWithSecrets = 'null where the definition has secrets'

export const moved = z
  .object({
    ...change,
    delete: z
      .object({
        file: text,
        first: z.int().meta({ description: 'a line, from 1' }),
        last: z.int(),
        text: text.nullable().meta({ description: `the lines as they are; ${nullWithSecrets}` }),
        becomes: text
          .nullable()
          .meta({ description: `what stands in their place afterwards, mostly nothing; ${nullWithSecrets}` }),
      })
      .meta({ description: 'what a person is to delete: until then it counts, and the file does not' }),
  })
  .meta({ id: 'DefinitionMove' })

export const profileSummary = z
  .object({
    name: text,
    where: text,
    definedAt: text.meta({ description: '`config.yaml:12`, `profiles.d/web.yaml:1`' }),
    inherits: listOf(text).meta({ description: 'the profiles that it inherits, nearest first' }),
    guests: z.int().meta({ description: 'how many guests have it, directly or by another profile' }),
    selects: z
      .object({
        auto: z.enum(selectorActions),
        machines: text.meta({ description: 'its alternatives: `mac-prefix 52:54:00 | subnet 10.0.0.0/8`' }),
      })
      .nullable()
      .meta({ description: 'the unknown machines that get it; null for a profile without `match`' }),
    readOnly: text.nullable(),
    data: mapping.nullable(),
  })
  .meta({ id: 'Profile' })

export const profilePage = pageOf(profileSummary, 'ProfilePage')

export const mirror = z
  .object({
    id: text,
    where: text,
    readOnly: text.nullable(),
    data: mapping.nullable(),
    lastRun: z
      .object({
        at: time,
        outcome: z.enum(['published', 'unchanged', 'refused', 'failed', 'cancelled']),
        lines: listOf(text),
      })
      .nullable()
      .meta({ description: 'what became of the last run, by schedule or by a person' }),
    next: time.nullable().meta({ description: 'when it is due; null without a schedule' }),
    job: z.int().nullable().meta({ description: 'the job that fetches it now, waits to, or is paused' }),
  })
  .meta({ id: 'Mirror' })

export const mirrorPage = pageOf(mirror, 'MirrorPage')

export const setting = z
  .object({
    key: text.meta({ description: '`template`, `args`, `vars.hostname`, `virt.memory`' }),
    value: z.unknown().meta({ description: 'secrets are starred' }),
    from: text.meta({ description: 'where it was said: `config.yaml:12`, `profiles.d/web.yaml:3`' }),
  })
  .meta({ id: 'Setting' })

export const settingPage = pageOf(setting, 'SettingPage')

/** Whether all that reads it by recursion can. The data are of `JSON.parse`, which has no limit of its own. */
export function isPlain(data: unknown): boolean {
  let count = 0
  let level: readonly unknown[] = [data]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > configurationLimits.yaml.depth) return false
    const objects = level.filter((value) => typeof value === 'object' && value !== null)
    if (objects.some((value) => Object.hasOwn(value as object, '__proto__'))) return false
    level = objects.flatMap((value) => Object.values(value as object))
    count += level.length
    if (count > mostValues) return false
  }
  return true
}

export const guestImport = z
  .object({
    format: z.enum(importFormatNames).meta({ description: 'what the text was read as' }),
    changed: z.boolean(),
    why: text.nullable().meta({ description: 'why nothing was made' }),
    entries: listOf(
      z.object({
        line: z.int(),
        result: z.enum(entryOutcomes),
        name: text.nullable().meta({ description: 'of the guest, as far as it is known' }),
        why: text.nullable().meta({ description: 'why it is wrong or left out, or what of it was left out' }),
      }),
    ),
  })
  .meta({ id: 'GuestImport' })

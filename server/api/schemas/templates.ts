import { z } from 'zod'
import { listOf, pageOf, text, time } from './common.ts'
import { change, others } from './definitions.ts'

/** A template as it is sent: a text, and not JSON. */
export const templateText = z.string('a text').default('').meta({ description: 'the template, in UTF-8' })

export const template = z
  .object({
    name: text.meta({ description: 'its path below the templates folder: `fedora.ks`, `snippets/disk`' }),
    where: text,
    etag: text.nullable().meta({ description: 'for `If-Match`; null for what cannot be read' }),
    readOnly: text.nullable().meta({ description: 'why it may not be changed here; null when it may' }),
    bytes: z.int().nullable().meta({ description: 'null for what is no UTF-8 text' }),
    guests: z.int().meta({ description: 'how many guests have it as their template' }),
  })
  .meta({ id: 'Template' })

export const templatePage = pageOf(template, 'TemplatePage')

const problem = z.object({
  severity: z.enum(['error', 'warning']),
  where: text,
  message: text,
  remedy: text.optional(),
})

export const templateVersionPage = pageOf(
  z
    .object({
      digest: text.nullable().meta({ description: 'SHA-256 of the text; null: it was removed' }),
      bytes: z.int(),
      at: time.meta({ description: 'when it came in force' }),
      by: text
        .nullable()
        .meta({ description: 'the account that wrote it; null where the file was changed otherwise' }),
      current: z.boolean(),
    })
    .meta({ id: 'TemplateVersion' }),
  'TemplateVersionPage',
)

export const templateChange = z
  .object({
    ...change,
    others,
    problems: listOf(problem).meta({ description: 'what it adds, in spite of which a reason saves it' }),
  })
  .meta({ id: 'TemplateChange' })

export const templateProblemPage = pageOf(
  z
    .object({
      line: z.int().meta({ description: 'from 1' }),
      severity: z.enum(['error', 'warning', 'hint']).meta({
        description: 'error: it does not render. warning: it renders, and probably not as it is meant.',
      }),
      message: text,
      remedy: text.optional(),
    })
    .meta({ id: 'TemplateProblem' }),
  'TemplateProblemPage',
)

export const templateReview = z
  .object({
    concerned: z.int().meta({ description: 'how many guests have answer files that are made of it' }),
    reviewed: z.int().meta({ description: 'how many of them were rendered; the first 200' }),
    untouched: z.int().meta({ description: 'how many answer files stay as they are' }),
    unknown: listOf(text).meta({
      description: 'guests whose trees are not ready, so that nobody can tell now',
    }),
    broken: listOf(
      z.object({
        why: text,
        guests: listOf(text),
        already: z.boolean().meta({ description: 'they have no answer file now either' }),
      }),
    ),
    touched: listOf(
      z.object({
        difference: text.meta({
          description: "of the first guest, with secrets starred; '' where only what is starred differs",
        }),
        guests: listOf(text).meta({ description: 'all whose lines change alike' }),
      }),
    ),
  })
  .meta({ id: 'TemplateReview' })

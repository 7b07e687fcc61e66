import { z } from 'zod'
import { listOf, pageOf, text, time } from './common.ts'

export const installStates = ['install', 'installing', 'failed', 'installed', 'local', 'held'] as const

export const installState = z.enum(installStates).meta({
  id: 'GuestState',
  description:
    'install: its next network boot erases and installs. installing: its installer is at work. All others start their own disk.',
})

const summary = {
  name: text,
  state: installState,
  since: time.nullable().meta({ description: 'null for a guest that has no history yet' }),
  failure: text
    .nullable()
    .meta({ description: 'the reason that the installer last reported for its failure' }),
  hold: text
    .nullable()
    .meta({ description: 'why it is held: `new store`, `old store`, `renamed` or `by ...`' }),
  macs: listOf(text),
  uuid: text.nullable(),
  serial: text.nullable(),
  ip: text.nullable(),
  profiles: listOf(text),
  tree: text
    .nullable()
    .meta({ description: 'the id of the tree that it would install; null when no tree fits' }),
  template: text.nullable(),
  definedAt: text.meta({ description: '`config.yaml:12`, `guests.d/web01.yaml:1`' }),
}

/** Variables are left out: they may hold password hashes. */
export const guestSummary = z.object(summary).meta({ id: 'GuestSummary' })

export const forgotten = z
  .object({
    name: text,
    state: installState,
    hold: text.nullable().meta({ description: 'why it is held' }),
  })
  .meta({ id: 'ForgottenGuest' })

export const guestPage = pageOf(guestSummary, 'GuestPage')

export const guestDetail = z
  .object({
    ...summary,
    install: z.int().meta({ description: 'the number of its present installation' }),
    nextBoot: z
      .object({
        plan: z.enum(['install', 'menu', 'local-disk', 'refuse']),
        why: text
          .nullable()
          .meta({ description: 'the reason that it installs nothing; null when it installs' }),
      })
      .meta({ description: 'what its next network boot does' }),
  })
  .meta({ id: 'Guest' })

export const storyStep = z
  .object({
    at: time,
    install: z.int().meta({ description: "the number of the guest's installation" }),
    step: text.meta({ description: 'what happened: `offered`, `kernel`, `answers`, `installed`, ...' }),
    detail: text.meta({
      description: "the tree of an offer, the words of a report; '' when there is nothing to add",
    }),
    client: text.meta({ description: "the address of the machine; '' for the operator" }),
  })
  .meta({ id: 'StoryStep' })

export const storyPage = pageOf(storyStep, 'StoryPage')

export const explainedStep = z
  .object({
    what: text.meta({ description: '`guest`, `tree`, `platform`, `kernel`, `argument`, ...' }),
    value: text,
    from: text.meta({ description: 'the rule that it comes from' }),
  })
  .meta({ id: 'ExplainedStep' })

export const explanation = pageOf(explainedStep, 'Explanation')

export const unknownMachine = z
  .object({
    id: text.meta({ description: 'its MAC address, or its UUID while no MAC is known' }),
    mac: text.nullable(),
    uuid: text.nullable(),
    serial: text.nullable(),
    firmware: text.nullable(),
    vendor: text.nullable(),
    address: text.nullable(),
    first: time,
    last: time,
    count: z.int().meta({ description: 'how many times it asked' }),
    profile: text.nullable().meta({ description: 'the profile that selects it; null when none does' }),
    selected: text.nullable().meta({
      description: 'the same for people, with the keys that fit; also between which profiles nothing decides',
    }),
  })
  .meta({ id: 'UnknownMachine' })

export const unknownMachinePage = pageOf(unknownMachine, 'UnknownMachinePage')

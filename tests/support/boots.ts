import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Boot, StepKind } from '../../server/core/boots/boot.ts'
import { withLine } from '../../server/core/boots/log-line.ts'
import type { Event } from '../../server/events/bus.ts'
import { logFact } from '../../server/timeline/event-queue.ts'
import { concernsBoots, factOf } from '../../server/timeline/facts.ts'
import { OpenBoots } from '../../server/timeline/open-boots.ts'

/** The events of real boots, as the server emitted them. Times are milliseconds from the first. */
export interface Recording {
  /** What was booted, how, and with which programs. */
  readonly about: string
  readonly events: readonly { readonly at: number; readonly event: Event }[]
}

export const recordingsFolder = join(import.meta.dirname, '../fixtures/boots')

export function recordingNames(): string[] {
  return readdirSync(recordingsFolder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
}

export function recordingOf(name: string): Recording {
  return JSON.parse(readFileSync(join(recordingsFolder, `${name}.json`), 'utf8')) as Recording
}

/** Where the times of a replay begin. */
export const epochMs = Date.UTC(2026, 0, 1)

/** The boots that a recording makes, oldest first, after `quietMs` in which nothing happened. */
export function replay({ events }: Pick<Recording, 'events'>, quietMs = 0): readonly Boot[] {
  const boots = new Map<number, Boot>()
  const open = new OpenBoots({
    nextId: 1,
    onChange: (boot) => boots.set(boot.id, boot),
    onRemove: (id) => boots.delete(id),
  })
  let atMs = epochMs
  for (const { at, event } of events) {
    atMs = epochMs + at
    const fact = event.type === 'syslog' ? lineFact(event, atMs) : factOf(event)
    if (concernsBoots(event) && fact) open.note(fact, atMs)
  }
  open.look(atMs + quietMs)
  return [...boots.values()].sort((a, b) => a.id - b.id)
}

function lineFact({ client, ...line }: Extract<Event, { type: 'syslog' }>, atMs: number) {
  const log = withLine(undefined, line)
  return logFact({ client, startMs: atMs, endMs: atMs, count: 1, log }, (text) => text)
}

/** The only boot of a recording. */
export function theBoot(recording: Pick<Recording, 'events'>, quietMs = 0): Boot {
  const [boot, ...more] = replay(recording, quietMs)
  if (!boot || more.length > 0) throw new Error(`${1 + more.length} boots, expected one`)
  return boot
}

export function kindsOf({ steps }: Boot): StepKind[] {
  return steps.map(({ kind }) => kind)
}

/** The recording up to the first event that fits, without it. */
export function before(recording: Recording, fits: (event: Event) => boolean): Recording {
  const at = recording.events.findIndex(({ event }) => fits(event))
  if (at < 0) throw new Error('no event of the recording fits')
  return { ...recording, events: recording.events.slice(0, at) }
}

/** The recording without the events that fit. */
export function without(recording: Recording, fits: (event: Event) => boolean): Recording {
  return { ...recording, events: recording.events.filter(({ event }) => !fits(event)) }
}

/** The recording with other events in the place of some. */
export function changed(recording: Recording, change: (event: Event) => Event): Recording {
  return { ...recording, events: recording.events.map(({ at, event }) => ({ at, event: change(event) })) }
}

/** The recording, and then more events, each some milliseconds after the one before. */
export function followedBy(recording: Recording, more: readonly Event[], everyMs = 1000): Recording {
  const last = recording.events.at(-1)?.at ?? 0
  const added = more.map((event, n) => ({ at: last + (n + 1) * everyMs, event }))
  return { ...recording, events: [...recording.events, ...added] }
}

export const heldOutFolder = join(import.meta.dirname, '../fixtures/held-out-boots')

/** How the boots of a recording stand after a long silence: the state of each, and its reason where it has one. */
export function endsOf(
  recording: Pick<Recording, 'events'>,
  quietMs = 30 * 60_000,
): (string | undefined)[][] {
  return replay(recording, quietMs).map(({ state, reason }) =>
    reason === undefined ? [state] : [state, reason],
  )
}

/** What a look at each second would have shown besides `running` and `done`: the state, the reason, and when it began. */
export function alarmsOf({ events }: Pick<Recording, 'events'>, everyMs = 1000): string[] {
  const alarms = new Map<string, number>()
  const open = new OpenBoots({
    nextId: 1,
    onChange: ({ id, state, reason = '' }) => {
      const alarm = `boot ${id}: ${state} ${reason}`
      if (state !== 'running' && state !== 'done' && !alarms.has(alarm)) alarms.set(alarm, nowMs)
    },
    onRemove: () => {},
  })
  let nowMs = epochMs
  for (const { at, event } of events) {
    while (nowMs + everyMs < epochMs + at) {
      nowMs += everyMs
      open.look(nowMs)
    }
    nowMs = epochMs + at
    const fact = factOf(event)
    if (concernsBoots(event) && fact) open.note(fact, nowMs)
  }
  open.look(nowMs)
  return [...alarms].map(([alarm, atMs]) => `${alarm} at ${(atMs - epochMs) / 1000} s`)
}

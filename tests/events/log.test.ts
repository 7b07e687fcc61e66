import { describe, expect, test } from 'vitest'
import type { Event } from '../../server/events/bus.ts'
import { EventBus } from '../../server/events/bus.ts'
import { describeEvent, type LogOptions, logSink } from '../../server/events/log.ts'

const served: Event = {
  type: 'served',
  protocol: 'tftp',
  client: '10.0.0.5',
  path: '/pxelinux.0',
  outcome: 'complete',
  bytes: 42_430,
  ms: 12,
}

function linesOf(events: readonly Event[], options: Partial<LogOptions> = {}): string {
  const chunks: string[] = []
  const stream = { write: (chunk: string) => void chunks.push(chunk) }
  const now = () => new Date(2026, 0, 2, 3, 4, 5)
  const sink = logSink({ format: 'text', level: 'info', color: false, stream, now, ...options })
  for (const event of events) sink(event)
  return chunks.join('')
}

describe('one line for each event', () => {
  test.each<[string, Event, string]>([
    ['a file sent', served, '03:04:05 tftp 10.0.0.5 /pxelinux.0 41 KiB in 12 ms\n'],
    [
      'a question is not a fetch',
      { ...served, bytes: 0, question: true },
      '03:04:05 tftp 10.0.0.5 /pxelinux.0 asked about, nothing sent, in 12 ms\n',
    ],
    [
      'a probe for an absent file is not a warning',
      { ...served, path: '/revocations_sku.efi', outcome: 'failed', kind: 'not-found', bytes: 0 },
      '03:04:05 tftp 10.0.0.5 /revocations_sku.efi is not there\n',
    ],
    [
      'any other failure is a warning with its reason',
      { ...served, outcome: 'failed', kind: 'invalid-data', detail: 'fedora.ks:4: no variable hostnam' },
      '03:04:05 WARN tftp 10.0.0.5 /pxelinux.0 failed (invalid-data): fedora.ks:4: no variable hostnam\n',
    ],
    [
      'a broken tree says why',
      { type: 'tree', id: 'f40', state: 'broken', reasons: ['images/pxeboot/vmlinuz: sha256 differs'] },
      '03:04:05 ERROR tree f40 is broken: images/pxeboot/vmlinuz: sha256 differs\n',
    ],
    [
      'a configuration that is not used is an error',
      {
        type: 'config',
        outcome: 'kept-last-good',
        message: 'config.yaml is not used\nconfig.yaml:3:1 gusts: unknown key',
      },
      '03:04:05 ERROR CONFIGURATION NOT USED: config.yaml is not used; config.yaml:3:1 gusts: unknown key\n',
    ],
  ])('%s', (_name, event, line) => {
    expect(linesOf([event])).toBe(line)
  })

  test('a client cannot forge a second line or colour the terminal', () => {
    const line = linesOf([{ ...served, path: '/x\n03:04:06 tree f40 is ready\x1b[31m' }])
    expect(line).toBe('03:04:05 tftp 10.0.0.5 /x\\x0a03:04:06 tree f40 is ready\\x1b[31m 41 KiB in 12 ms\n')
  })

  test('JSON lines carry the whole event and parse one by one', () => {
    const lines = linesOf([served, { ...served, path: '/x\ny' }], { format: 'json' })
      .trimEnd()
      .split('\n')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ type: 'served', path: '/x\ny', bytes: 42_430 })
  })

  test('an unreadable request stays below the default level', () => {
    const noise: Event = { type: 'noise', protocol: 'tftp', client: '10.0.0.9', message: '1 byte' }
    expect(linesOf([noise])).toBe('')
    expect(linesOf([noise], { level: 'debug' })).toContain('tftp 10.0.0.9')
    expect(describeEvent(noise).level).toBe('debug')
  })
})

test('a subscriber that throws does not keep events from the others', () => {
  const bus = new EventBus()
  const seen: Event[] = []
  bus.subscribe(() => {
    throw new Error('mine')
  })
  const end = bus.subscribe((event) => seen.push(event))
  bus.emit(served)
  end()
  bus.emit(served)
  expect(seen).toEqual([served])
})

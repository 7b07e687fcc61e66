import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { TreeState } from '../core/tree/tree.ts'
import type { Event, EventSink } from './bus.ts'

const treeStates: readonly TreeState[] = ['incoming', 'verifying', 'ready', 'broken']

export interface Metrics {
  readonly sink: EventSink
  /** The media type of `text`. */
  readonly contentType: string
  /** The page at `/metrics`, in the text format of Prometheus. */
  text(): Promise<string>
}

/** What is asked when the page is read. */
export interface MetricSources {
  readonly trees: () => Readonly<Record<TreeState, number>>
  /** Events of boots that were lost since the start. */
  readonly lostEvents: () => number
  readonly catalog: { readonly refusedConfig: unknown; readonly filesNotInForce: number }
}

/**
 * Counts events. Every label has a fixed set of values: with paths or addresses as labels, clients could make
 * our memory grow without limit.
 */
export function createMetrics({ trees, lostEvents, catalog }: MetricSources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'treeboot_' })
  const counters = eventCounters(registry)
  addTreeGauge(registry, trees)
  addConfigGauges(registry, catalog)
  addLostCounter(registry, lostEvents)
  return {
    sink: (event) => count(event, counters),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}

function eventCounters(registry: Registry) {
  const registers = [registry]
  const byProtocol = { labelNames: ['protocol'] as const, registers }
  return {
    served: new Counter({
      name: 'treeboot_served_total',
      help: 'Requests that ended, by service, outcome and kind of failure',
      labelNames: ['protocol', 'outcome', 'kind'] as const,
      registers,
    }),
    bytes: new Counter({
      name: 'treeboot_served_bytes_total',
      help: 'Bytes of files sent to clients, by service',
      ...byProtocol,
    }),
    seconds: new Histogram({
      name: 'treeboot_served_seconds',
      help: 'Time from a request to its last byte, by service',
      buckets: [0.001, 0.01, 0.1, 1, 10, 60, 300],
      ...byProtocol,
    }),
    boots: new Counter({
      name: 'treeboot_boot_answers_total',
      help: 'Boot decisions sent to machines',
      registers,
    }),
    reports: new Counter({
      name: 'treeboot_guest_reports_total',
      help: 'Reports received from guests',
      registers,
    }),
    noise: new Counter({
      name: 'treeboot_noise_total',
      help: 'Requests and datagrams that could not be understood, by service',
      ...byProtocol,
    }),
    syslog: new Counter({
      name: 'treeboot_syslog_lines_total',
      help: 'Lines by syslog: kept, dropped because nothing boots at their address (unknown), or beyond a limit (too-many)',
      labelNames: ['outcome'] as const,
      registers,
    }),
  }
}

function addTreeGauge(registry: Registry, countTrees: () => Readonly<Record<TreeState, number>>): void {
  new Gauge({
    name: 'treeboot_trees',
    help: 'Trees, by state',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      const counts = countTrees()
      for (const state of treeStates) this.set({ state }, counts[state])
    },
  })
}

function addLostCounter(registry: Registry, lostEvents: () => number): void {
  new Counter({
    name: 'treeboot_boot_events_lost_total',
    help: 'Events that timelines of boots lost, because more came than could be kept',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(lostEvents())
    },
  })
}

function addConfigGauges(registry: Registry, catalog: MetricSources['catalog']): void {
  new Gauge({
    name: 'treeboot_config_refused',
    help: '1 while config.yaml has errors and the last good configuration is in force, else 0',
    registers: [registry],
    collect() {
      this.set(catalog.refusedConfig === undefined ? 0 : 1)
    },
  })
  new Gauge({
    name: 'treeboot_definition_files_refused',
    help: 'Files of guests.d, profiles.d and mirrors.d that are wrong, so that their last good text or none is in force',
    registers: [registry],
    collect() {
      this.set(catalog.filesNotInForce)
    },
  })
}

function count(event: Event, { served, bytes, seconds, boots, reports, noise, syslog }: EventCounters): void {
  switch (event.type) {
    case 'served':
      served.inc({ protocol: event.protocol, outcome: event.outcome, kind: event.kind ?? '' })
      bytes.inc({ protocol: event.protocol }, event.bytes)
      seconds.observe({ protocol: event.protocol }, event.ms / 1000)
      return
    case 'boot':
      boots.inc()
      return
    case 'report':
      reports.inc()
      return
    case 'noise':
      noise.inc({ protocol: event.protocol })
      return
    case 'syslog':
      syslog.inc({ outcome: 'kept' })
      return
    case 'syslog-lost':
      syslog.inc({ outcome: event.why }, event.lines)
      return
    // Not counted here; the gauge counts trees.
    case 'fetching':
    case 'sending':
    case 'dhcp':
    case 'tree':
    case 'publish':
    case 'boot-test':
    case 'config':
    case 'trouble':
  }
}

type EventCounters = ReturnType<typeof eventCounters>

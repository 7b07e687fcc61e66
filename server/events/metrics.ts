import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { TreeState } from '../core/tree/tree.ts'
import type { Event, EventSink } from './bus.ts'

const treeStates: readonly TreeState[] = ['incoming', 'verifying', 'ready', 'broken']

export interface Metrics {
  readonly sink: EventSink
  /** The page at `/metrics`, in the Prometheus text format. */
  readonly contentType: string
  text(): Promise<string>
}

/**
 * Counts what happens. Labels are closed sets only: a path or an address as label would let any client grow our
 * memory without end.
 */
export function createMetrics(countTrees: () => Readonly<Record<TreeState, number>>): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'treeboot_' })
  const registers = [registry]
  const served = new Counter({
    name: 'treeboot_served_total',
    help: 'Requests answered, by service, how they ended, and the kind of failure',
    labelNames: ['protocol', 'outcome', 'kind'] as const,
    registers,
  })
  const bytes = new Counter({
    name: 'treeboot_served_bytes_total',
    help: 'Bytes of files carried to clients, by service',
    labelNames: ['protocol'] as const,
    registers,
  })
  const seconds = new Histogram({
    name: 'treeboot_served_seconds',
    help: 'Time from a request to its last byte, by service',
    labelNames: ['protocol'] as const,
    buckets: [0.001, 0.01, 0.1, 1, 10, 60, 300],
    registers,
  })
  const boots = new Counter({
    name: 'treeboot_boot_answers_total',
    help: 'Boot decisions given to machines',
    registers,
  })
  const reports = new Counter({
    name: 'treeboot_guest_reports_total',
    help: 'Reports received from guests',
    registers,
  })
  const noise = new Counter({
    name: 'treeboot_noise_total',
    help: 'Requests and datagrams that made no sense, by service',
    labelNames: ['protocol'] as const,
    registers,
  })
  new Gauge({
    name: 'treeboot_trees',
    help: 'Trees by state',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const counts = countTrees()
      for (const state of treeStates) this.set({ state }, counts[state])
    },
  })

  const sink = (event: Event): void => {
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
      case 'fetching':
      case 'tree':
      case 'publish':
      case 'config':
      case 'trouble':
    }
  }
  return { sink, contentType: registry.contentType, text: () => registry.metrics() }
}

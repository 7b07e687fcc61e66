import { beforeEach, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import { type GuestState, newState } from '../../server/core/guest/state.ts'
import type { Requester } from '../../server/core/net/requester.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { bootConfigMounts } from '../../server/namespace/boot-configs.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { createAnswers } from '../../server/namespace/namespace.ts'
import { fedora40, makeGuest, makeInputs } from '../support/boot-inputs.ts'
import { parse } from '../support/config.ts'
import { sharedRenderer } from '../support/renderer.ts'

const mac = '52:54:00:00:00:07'
const web = makeGuest('web', { tree: fedora40, macs: [mac], template: 'web.ks' })

/** What another request or the operator does while the answer file is rendered. */
let meanwhile: () => void
let state: GuestState
let snapshot: Snapshot
let source: FileSource

function snapshotOf(guests: readonly (typeof web)[], generation: number): Snapshot {
  const { trees, guests: index } = makeInputs([fedora40], guests)
  const templates = new Map([['web.ks', 'text\n']])
  const config = { ...parse('').config, unknown: 'local' as const }
  return {
    generation,
    trees,
    guests: index,
    profiles: new Map(),
    selectors: [],
    templates,
    problems: [],
    config,
  }
}

beforeEach(() => {
  meanwhile = () => undefined
  state = newState
  snapshot = snapshotOf([web], 1)
  const services = () => ({ http: { port: 8080 }, tftp: { port: 69 } })
  const machines = { ...noMachines, stateOf: () => state }
  const { answers } = createAnswers({ services, machines, renderer: sharedRenderer })
  const whyNone = answers.whyNone.bind(answers)
  answers.whyNone = async (call) => {
    const why = await whyNone(call)
    meanwhile()
    return why
  }
  source = mountTable(bootConfigMounts({ snapshot: () => snapshot, services, machines, answers }))
})

async function booted(): Promise<{ text: string; isDisk: boolean | undefined }> {
  const who: Requester = { protocol: 'http', address: '10.99.0.200', host: 'boot.lan:8080' }
  const entry = await source.stat(cleanPath(`/boot/by/${mac}/4c4c4544-0042-3510-8052-b4c04f4a3132/ipxe`), who)
  const text = entry?.kind === 'file' ? new TextDecoder().decode(entry.content) : ''
  return { text, isDisk: entry?.decision?.kind === 'boot' ? entry.decision.localDisk : undefined }
}

test('a guest whose answer file is rendered boots its installer', async () => {
  const { text, isDisk } = await booted()
  expect(text).toMatch(/^kernel /m)
  expect(isDisk).toBe(false)
})

test.each(['held', 'installed', 'local'] as const)(
  'a guest that is %s meanwhile boots its disk',
  async (now) => {
    meanwhile = () => {
      state = { ...newState, state: now }
    }
    const { text, isDisk } = await booted()
    expect(text).not.toMatch(/^kernel /m)
    expect(isDisk).toBe(true)
  },
)

test('a machine that is no guest any more boots its disk', async () => {
  meanwhile = () => {
    snapshot = snapshotOf([], 2)
  }
  expect(await booted()).toEqual({ text: expect.not.stringContaining('kernel '), isDisk: true })
})

import { afterAll, expect, test } from 'vitest'
import { noMachines } from '../../server/machines/no-machines.ts'
import { createAnswers } from '../../server/namespace/namespace.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { fedora40, makeGuest, makeInputs } from '../support/boot-inputs.ts'
import { parse } from '../support/config.ts'

/** The engine of the worker needs more memory than it may have, so no worker starts. */
const renderer = new TemplateRenderer({ memoryMiB: 0 })
afterAll(() => renderer.close())

const web = makeGuest('web', { tree: fedora40, macs: ['52:54:00:00:00:07'], template: 'web.ks' })
const { trees, guests } = makeInputs([fedora40], [web])
const snapshot = {
  ...{
    generation: 1,
    trees,
    guests,
    profiles: new Map(),
    selectors: [],
    problems: [],
    config: parse('').config,
  },
  templates: new Map([['web.ks', 'text\n']]),
}
const call = { guest: web, who: { protocol: 'http', address: '10.99.0.200' }, snapshot } as const
const services = () => ({ http: { port: 8080 } })
const { answers } = createAnswers({ services, machines: noMachines, renderer })

test('a worker that does not start is no fault of a guest or its template', async () => {
  expect(await answers.whyNone(call)).toBeUndefined()
  await expect(answers.render(call)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/^no template can be rendered now: /),
  })
})

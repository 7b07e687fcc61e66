import { expect, test } from 'vitest'
import { installStates } from '../../server/api/schemas/guests.ts'
import { treeSummary } from '../../server/api/schemas/trees.ts'
import { upload } from '../../server/api/schemas/uploads.ts'
import { bootStates } from '../../server/core/boots/boot.ts'
import { stateNamed, states } from '../../server/core/states.ts'

test.each([
  ['guest', installStates],
  ['tree', treeSummary.shape.state.options],
  ['boot', bootStates],
  ['upload', upload.shape.state.options],
] as const)(
  'every state of a %s that the API or a command has stands in the table, and no other',
  (kind, ids) => {
    expect(Object.keys(states[kind]).sort()).toEqual([...ids].sort())
  },
)

test('only what erases is orange', () => {
  const all = Object.values(states).flatMap((ofKind) => Object.entries(ofKind))
  expect(all.flatMap(([id, { color }]) => (color === 'orange' ? [id] : []))).toEqual(['install'])
  expect(stateNamed('guest', 'toString')).toBeUndefined()
})

import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { servedEvent } from '../../../server/protocols/tftp/served-event.ts'

const request = { client: '::ffff:192.0.2.7', path: '/boot/x', startMs: 100 }

test('a download that is done is complete, with its bytes, its time and a plain address', () => {
  expect(servedEvent(request, { end: 'done', bytes: 1300 }, 150)).toEqual({
    type: 'served',
    protocol: 'tftp',
    client: '192.0.2.7',
    path: '/boot/x',
    outcome: 'complete',
    bytes: 1300,
    ms: 50,
  })
})

test('a size probe is not an event', () => {
  expect(servedEvent(request, { end: 'probed', bytes: 0, detail: 'client: bye' }, 150)).toBeUndefined()
})

test('an abort keeps its detail; a silent client is an abort too', () => {
  const aborted = servedEvent(request, { end: 'aborted', bytes: 512, detail: 'client: closed' }, 150)
  expect(aborted).toMatchObject({ outcome: 'aborted', bytes: 512, detail: 'client: closed' })
  expect(servedEvent(request, { end: 'silent', bytes: 0 }, 150)).toMatchObject({
    outcome: 'aborted',
    bytes: 0,
  })
})

test('a download whose last ACK was lost is complete, and says so', () => {
  expect(servedEvent(request, { end: 'unconfirmed', bytes: 1300 }, 150)).toMatchObject({
    outcome: 'complete',
    bytes: 1300,
    detail: 'the last ACK did not come',
  })
})

test('a failure on our side has its kind and its detail', () => {
  const error = new Failure('not-found', 'file not found: /boot/x')
  expect(servedEvent(request, { end: 'failed', bytes: 0, error }, 150)).toMatchObject({
    outcome: 'failed',
    kind: 'not-found',
    detail: 'file not found: /boot/x',
  })
})

import { STATUS_CODES } from 'node:http'
import { describe, expect, test } from 'vitest'
import { httpStatus } from '../../server/core/http-status.ts'

describe('the HTTP status of a failure kind', () => {
  test.each(Object.entries(httpStatus))('%s has error statuses that Node knows', (_kind, { files, api }) => {
    for (const status of [files, api]) {
      expect(status).toBeGreaterThanOrEqual(400)
      expect(STATUS_CODES[status]).toBeDefined()
    }
  })

  test('files and the API differ only for conflicts and invalid data', () => {
    const different = Object.entries(httpStatus).filter(([, { files, api }]) => files !== api)
    expect(different).toEqual([
      ['conflict', { files: 503, api: 409 }],
      ['invalid-data', { files: 500, api: 422 }],
    ])
  })
})

import { Failure } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'

/** How templates are sent. */
export const templateBody = {
  bodyTypes: ['text/plain'],
  bodyBytes: configurationLimits.templates.bytes,
} as const

/** @throws Failure `bad-request` for what was no UTF-8: it was decoded with replacement characters. */
export function requireUtf8(text: string): string {
  if (!text.includes('\uFFFD')) return text
  const expected = 'UTF-8, without U+FFFD, the character for what cannot be read'
  throw new Failure('bad-request', `the body: expected ${expected}`, {
    details: [{ field: 'body', expected }],
  })
}

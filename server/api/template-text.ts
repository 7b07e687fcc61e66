import { configurationLimits } from '../core/limits/configuration.ts'

/** How templates are sent. */
export const templateBody = {
  bodyTypes: ['text/plain'],
  bodyBytes: configurationLimits.templates.bytes,
} as const

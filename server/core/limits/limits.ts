import { configurationLimits } from './configuration.ts'
import { documentLimits } from './documents.ts'
import { imageLimits } from './images.ts'
import { requestLimits } from './requests.ts'
import { treeLimits } from './trees.ts'
import { upstreamLimits } from './upstreams.ts'

/** The limits of all readers of foreign bytes, as `docs/limits.md` shows them. */
export const limitTables = {
  'Requests of clients': requestLimits,
  'Trees: recognising them': treeLimits,
  'Trees: documents that name checksums': documentLimits,
  'Disc images': imageLimits,
  Upstreams: upstreamLimits,
  'Configuration and templates': configurationLimits,
} as const

import type { VersionView } from '../versions/version-store.ts'
import { bootTestResultView } from './boot-test-views.ts'
import type { TreeVersionBody } from './types.ts'
import { timeText } from './views.ts'

/** A version as the API and the commands show it, without what speaks against its removal. */
export type ShownVersion = Omit<TreeVersionBody, 'needed'>

export function treeVersionView(version: VersionView): ShownVersion {
  const { publishedMs, retiredMs, accepted, signed, sha256, bootTest } = version
  return {
    id: version.id,
    version: version.version,
    current: version.current,
    kind: version.kind,
    published: timeText(publishedMs),
    retired: retiredMs === undefined ? null : timeText(retiredMs),
    source: version.source,
    by: version.by ?? null,
    files: version.files,
    bytes: version.bytes,
    accepted: accepted ? { by: accepted.by, why: accepted.why, faults: accepted.faults } : null,
    signed: signed ?? [],
    // In the order in which digests were computed, which is not the same twice.
    sha256: Object.fromEntries(Object.entries(sha256 ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
    upstream: version.upstream ?? null,
    bootTest: bootTest?.map(bootTestResultView) ?? null,
  }
}

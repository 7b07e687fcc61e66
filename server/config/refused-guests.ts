import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { allInherited, type Parents } from '../core/guest/inherit.ts'
import { entryKey, type Layer, type WithDefinitions } from './with-definitions.ts'

/** What is known of the files that guests and profiles are from. */
export interface Origins extends Pick<WithDefinitions, 'layers' | 'refused'> {
  /** Whether config.yaml differs from the last good one. */
  readonly isConfigChanged: boolean
}

/** Why a guest cannot be used: its own file is wrong and has no last good text, or that of one of its profiles. */
export function whyRefused(
  name: string,
  profiles: readonly string[],
  { parents, refused }: { readonly parents: Parents; readonly refused: Origins['refused'] },
): string | undefined {
  const own = refused.guest.get(name)
  if (own !== undefined) return `its definition cannot be used: ${own}`
  for (const profile of allInherited(profiles, parents)) {
    const why = refused.profile.get(profile)
    if (why !== undefined) return `its profile ${profile} cannot be used: ${why}`
  }
  return undefined
}

/**
 * The guests at which it is told that both claim one thing: those whose definition is new. That of config.yaml stands
 * against any file, unless the file was there before.
 */
export function accused(
  earlier: Guest,
  later: Guest,
  { layers, isConfigChanged }: Origins,
): readonly Guest[] {
  const layerOf = ({ name }: Guest): Layer | undefined => layers.get(entryKey('guests', name))
  const [a, b] = [layerOf(earlier), layerOf(later)]
  if (!a && !b) return [later]
  if (a && b) {
    if (a.isChanged === b.isChanged) return [earlier, later]
    return a.isChanged ? [earlier] : [later]
  }
  const [own, inFile, layer] = a ? [later, earlier, a] : [earlier, later, b]
  const wasBefore = layer?.use === 'present' && !layer.isChanged
  return wasBefore && isConfigChanged ? [own] : [inFile]
}

/** A refused guest without the identities that another guest has: that one's machine is none of its business. */
export function withoutTaken(guest: Guest, isTaken: (key: string, value: string) => boolean): Guest {
  const { uuid, serial, ip, ...others } = guest
  const free = <K extends string>(key: K, value: string | undefined): string | undefined =>
    value === undefined || isTaken(key, value) ? undefined : value
  return {
    ...others,
    macs: guest.macs.filter((mac) => !isTaken('mac', mac)),
    ...defined({ uuid: free('uuid', uuid), serial: free('serial', serial), ip: free('ip', ip) }),
  }
}

/**
 * Which of several variants of one release is meant when nobody says. The one with the most packages and the least
 * opinion comes first: Fedora's Everything has every environment, Server only its own; Cloud, Workstation and the
 * ostree variants can install little else than themselves.
 */
const order: readonly (readonly [RegExp, number])[] = [
  [/^(everything|os|baseos|full|dvd)$/, 0],
  [/^(server|live-server)$/, 1],
  [/^(fedora|release|netboot|netinst|minimal|)$/, 2],
  [/^(appstream|cd|bd|packages|online)$/, 3],
  [/^(client|workstation|desktop)$/, 5],
  [/^(computenode|atomichost|atomic|cloud|cloud_atomic)$/, 6],
  [/^(silverblue|kinoite|sericea|onyx|iot|coreos|live|labs|spins|optional)$/, 7],
]

/** 0 for the best; what nobody knows lies in the middle. */
export function variantRank(variant: string): number {
  const name = variant.trim().toLowerCase()
  return order.find(([pattern]) => pattern.test(name))?.[1] ?? 4
}

/** Variants are compared without case, blanks and dashes: `live-server` is `Live Server`. */
export function squeezeVariant(variant: string): string {
  return variant.toLowerCase().replace(/[\s_-]+/g, '')
}

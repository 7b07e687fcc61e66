/**
 * Canonical name of an architecture -> its other spellings: Debian's amd64 is Fedora's x86_64. Trees keep the
 * spelling of their descriptor; comparisons use the canonical name, which is Fedora's where Fedora has one.
 */
const spellings: Readonly<Record<string, readonly string[]>> = {
  x86_64: ['amd64', 'x64', 'x86-64', 'em64t', 'intel64'],
  x86_64_v2: ['x86-64-v2', 'x86_64-v2', 'amd64_v2', 'amd64v2'],
  x86_64_v3: ['x86-64-v3', 'x86_64-v3', 'amd64_v3', 'amd64v3'],
  // Fedora says i386 in its trees even where the packages are i686.
  i386: ['i486', 'i586', 'i686', 'x86', 'ia32', 'athlon', 'i686-pae', '80386'],
  aarch64: ['arm64', 'armv8', 'armv8l', 'arm64e'],
  armhfp: ['armhf', 'armv7l', 'armv7hl', 'armv7hnl', 'armv7', 'arm'],
  armel: ['armv5tel', 'armv5'],
  ppc64le: ['ppc64el', 'powerpc64le'],
  ppc64: ['powerpc64', 'ppc64p7', 'ppc64ppc64'],
  // Some Fedora trees really say ppcppc.
  ppc: ['powerpc', 'ppc32', 'ppcppc'],
  s390x: [],
  s390: [],
  riscv64: ['rv64', 'rv64gc', 'riscv64gc'],
  loongarch64: ['loong64'],
  ia64: ['itanium'],
  sparc64: ['sparcv9'],
  mips64el: [],
  mipsel: [],
  alpha: [],
  parisc: ['hppa'],
}

/** Spelling -> canonical name. */
const canonical: ReadonlyMap<string, string> = new Map(
  Object.entries(spellings).flatMap(([name, others]) =>
    [name, ...others].map((spelling): [string, string] => [spelling, name]),
  ),
)

/** The canonical name of an architecture. An unknown one is only put into lower case. */
export function canonicalArch(arch: string): string {
  const lower = arch.trim().toLowerCase()
  return canonical.get(lower) ?? lower
}

export function isKnownArch(text: string): boolean {
  return canonical.has(text.trim().toLowerCase())
}

export function sameArch(a: string, b: string): boolean {
  return a === b || canonicalArch(a) === canonicalArch(b)
}

/**
 * The architectures that are found in names. `alpha`, `arm` and `x86` in a name often mean something else: a stage
 * of a release, a whole family of CPUs. Between the parts of `x86_64`, people write any separator.
 */
const archWords = [...canonical.keys()]
  .filter((name) => name !== 'arm' && name !== 'x86' && name !== 'alpha')
  .sort((a, b) => b.length - a.length)
  .map((name) => name.replaceAll(/[_-]/g, '[_. -]'))
const archPattern = new RegExp(`(?<![a-z0-9])(?:${archWords.join('|')})(?![a-z0-9])`, 'i')
const archPatternEach = new RegExp(archPattern, 'gi')

/**
 * The first architecture named in a path or a file name, as spelled there: `installer-amd64/current` gives
 * `amd64`. A blank or a dot inside becomes `_`: `x86 64` gives `x86_64`.
 */
export function archIn(text: string): string | undefined {
  return archPattern.exec(text)?.[0].replace(/[ .]/g, '_')
}

/**
 * A name with a blank in the place of each architecture that `archIn` would find: the digits of an architecture are
 * not a version.
 */
export function withoutArchs(text: string): string {
  return text.replace(archPatternEach, ' ')
}

/** The platform of `platforms` for an architecture, whatever its spelling: `i686` finds `i386`. */
export function platformFor(platforms: Readonly<Record<string, unknown>>, arch: string): string | undefined {
  if (Object.hasOwn(platforms, arch)) return arch
  const wanted = canonicalArch(arch)
  return Object.keys(platforms).find((name) => canonicalArch(name) === wanted)
}

import { readFile } from 'node:fs/promises'

/** A family of distributions, which tells the package manager: `apt-get` for `debian`, `dnf` for `fedora`. */
export type PackageFamily = 'debian' | 'fedora'

/** The family of this machine, by /etc/os-release (os-release(5)). */
export async function packageFamily(file = '/etc/os-release'): Promise<PackageFamily | undefined> {
  return familyOf(await readFile(file, 'utf8').catch(() => ''))
}

export function familyOf(osRelease: string): PackageFamily | undefined {
  const words = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replace(/["']/g, '').split(/\s+/),
  )
  if (words.some((word) => word === 'debian' || word === 'ubuntu')) return 'debian'
  return words.some((word) => word === 'fedora' || word === 'rhel' || word === 'centos')
    ? 'fedora'
    : undefined
}

/** The command that installs these packages. */
export function installCommand(family: PackageFamily, packages: readonly string[]): string {
  return `${family === 'debian' ? 'apt-get install' : 'dnf install'} ${packages.join(' ')}`
}

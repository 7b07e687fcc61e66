import { readFile } from 'node:fs/promises'

/** The package manager of this machine: `apt-get` or `dnf`, by /etc/os-release (os-release(5)). */
export type PackageFamily = 'debian' | 'fedora'

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

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Lets apt fetch a package and unpacks it below `cache`, without installing it. Kept between runs. */
export function unpackPackage(cache: string, name: string): string {
  const folder = join(cache, name)
  if (existsSync(folder)) return folder
  const aside = join(cache, `.${name}-${process.pid}`)
  mkdirSync(aside, { recursive: true })
  try {
    // As root apt downloads as the user _apt, who may not write here: it warns, and goes on as root.
    execFileSync('apt-get', ['download', '-q', name], { cwd: aside, stdio: 'pipe' })
    const deb = readdirSync(aside).find((file) => file.endsWith('.deb')) ?? ''
    execFileSync('dpkg-deb', ['-x', join(aside, deb), join(aside, 'root')])
    renameSync(join(aside, 'root'), folder)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
  return folder
}

/**
 * The package that an empty package depends on: for `linux-image-cloud-amd64`, the package of the current
 * kernel. `pattern` has its name as a group, in a line of `apt-cache depends`.
 */
export function packageBehind(name: string, pattern: RegExp): string {
  const depends = execFileSync('apt-cache', ['depends', name], { encoding: 'utf8' })
  const [, behind] = pattern.exec(depends) ?? []
  if (behind === undefined) throw new Error(`apt knows no ${name}; an apt-get update may help`)
  return behind
}

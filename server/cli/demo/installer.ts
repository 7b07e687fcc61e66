import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../../core/failure.ts'
import { findProgram } from '../../emulator/child.ts'

const execute = promisify(execFile)

export type InstallerArch = 'amd64' | 'arm64'

/** A Debian network installer, as the package `debian-installer-<release>-netboot-<arch>` brings it. */
export interface Installer {
  /** Release and build: `12-20230607+deb12u15`. Each build has its own kernel. */
  readonly id: string
  readonly arch: InstallerArch
  /** `12` */
  readonly release: string
  /** `bookworm` */
  readonly codename: string
  /** The package's folder with loaders, kernel and initrd, laid out for a TFTP root. */
  readonly folder: string
  readonly kernel: string
  readonly initrd: string
}

/**
 * Finds an installer whose package is installed, or that an earlier run unpacked in `cache`. Otherwise apt
 * downloads the package (130 MB), which is unpacked in `cache` and not installed. `onStep` gets a line for
 * each long step.
 */
export async function obtainInstaller(
  cache: string,
  arch: InstallerArch,
  onStep: (line: string) => void,
): Promise<Installer> {
  const found = findInstaller('/', arch) ?? findInstaller(join(cache, arch), arch)
  if (found) return found
  for (const program of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if (findProgram(program) === undefined) throw noInstaller(`${program} is not installed`)
  }
  const name = await newestPackage(arch)
  if (name === undefined) {
    throw noInstaller(`apt does not know debian-installer-*-netboot-${arch}; apt-get update may help`)
  }
  onStep(`fetching ${name} (about 130 MB; unpacked into ${cache}, not installed)`)
  await unpackPackage(name, cache, arch)
  const unpacked = findInstaller(join(cache, arch), arch)
  if (unpacked === undefined)
    throw noInstaller(`${name} does not have kernel and initrd where they should be`)
  return unpacked
}

function noInstaller(why: string) {
  return new Failure('unavailable', `no installer to boot: ${why}`)
}

/** The installer of the newest release below a root folder: `/`, or a folder with an unpacked package. */
function findInstaller(root: string, arch: InstallerArch): Installer | undefined {
  const images = join(root, 'usr/lib/debian-installer/images')
  if (!existsSync(images)) return undefined
  const releases = readdirSync(images).sort((a, b) => Number(b) - Number(a))
  for (const release of releases) {
    const folder = join(images, release, arch, 'text')
    const kernel = join(folder, 'debian-installer', arch, 'linux')
    const initrd = join(folder, 'debian-installer', arch, 'initrd.gz')
    if (!existsSync(kernel) || !existsSync(initrd)) continue
    const info = readFileSync(join(folder, 'version.info'), 'utf8')
    const codename = /^Debian version:.*\((\w+)\)/m.exec(info)?.[1] ?? 'stable'
    const build = /^Installer build:\s*(\S+)/m.exec(info)?.[1] ?? 'unknown'
    return { id: `${release}-${build}`, arch, release, codename, folder, kernel, initrd }
  }
  return undefined
}

async function newestPackage(arch: InstallerArch): Promise<string | undefined> {
  const pattern = `^debian-installer-[0-9]+-netboot-${arch}$`
  const { stdout } = await execute('apt-cache', ['search', '--names-only', pattern])
  const names = stdout.split('\n').flatMap((line) => line.split(' ')[0] || [])
  const release = (name: string) => Number(/-(\d+)-/.exec(name)?.[1] ?? 0)
  return names.sort((a, b) => release(b) - release(a))[0]
}

/**
 * Downloads and unpacks a package in a temporary folder and renames the folder, so that an interrupted run leaves
 * no half installer.
 */
async function unpackPackage(name: string, cache: string, arch: InstallerArch): Promise<void> {
  const tempFolder = join(cache, `.${arch}-${process.pid}`)
  mkdirSync(tempFolder, { recursive: true })
  try {
    // As root, apt downloads as the user _apt, who may not write here: it prints a warning and continues as
    // root.
    await execute('apt-get', ['download', '-q', name], { cwd: tempFolder })
    const deb = readdirSync(tempFolder).find((file) => file.endsWith('.deb'))
    if (deb === undefined) throw noInstaller(`apt-get download ${name} brought no package`)
    await execute('dpkg-deb', ['-x', join(tempFolder, deb), join(tempFolder, 'root')])
    renameSync(join(tempFolder, 'root'), join(cache, arch))
  } finally {
    rmSync(tempFolder, { recursive: true, force: true })
  }
}

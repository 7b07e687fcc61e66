import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Trees made of small texts. Nothing here needs a test to run in: benchmarks make them, too. */

export interface TreeShape {
  readonly family?: string
  readonly version?: string
  readonly arch?: string
  /** Whether `.treeinfo` names the digests of all images; default true. */
  readonly checksums?: boolean
  /** Lines added at the end of `.treeinfo`. */
  readonly extra?: string
}

/** The images of a made-up tree: small, and different for every version. */
export function imagesOfTree({ version = '40' }: TreeShape = {}): Record<string, string> {
  return {
    'images/pxeboot/vmlinuz': `kernel of ${version}\n`,
    'images/pxeboot/initrd.img': `initrd of ${version}\n`,
    'images/install.img': `second stage of ${version}\n`,
  }
}

/** The text of a `.treeinfo` in the form of productmd 1.2. */
export function treeinfoText(shape: TreeShape = {}): string {
  const { family = 'Fedora', version = '40', arch = 'x86_64', checksums = true, extra = '' } = shape
  const digests = Object.entries(imagesOfTree(shape)).map(
    ([path, text]) => `${path} = sha256:${createHash('sha256').update(text).digest('hex')}`,
  )
  return `[header]
type = productmd.treeinfo
version = 1.2

[release]
name = ${family}
short = ${family}
version = ${version}

[tree]
arch = ${arch}
build_timestamp = 1713000000
platforms = ${arch}
variants = Server

[images-${arch}]
kernel = images/pxeboot/vmlinuz
initrd = images/pxeboot/initrd.img

[stage2]
mainimage = images/install.img

[variant-Server]
id = Server
name = Server
type = variant
uid = Server
packages = Packages
repository = .

[general]
family = ${family}
name = ${family} ${version}
version = ${version}
arch = ${arch}
variant = Server
timestamp = 1713000000
${checksums ? `\n[checksums]\n${digests.join('\n')}\n` : ''}${extra}`
}

/** Writes a whole tree at once; digests in `.treeinfo` fit. */
export function makeTree(folder: string, shape: TreeShape = {}): void {
  for (const [path, text] of Object.entries(imagesOfTree(shape))) writeBelow(folder, path, text)
  writeBelow(folder, '.treeinfo', treeinfoText(shape))
}

/** Writes a file and the folders above it. */
export function writeBelow(folder: string, path: string, data: string | Uint8Array): void {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, data)
}

/** Every file and symlink below a folder, sorted; links are not followed. */
export function namesBelow(folder: string, at = ''): string[] {
  return readdirSync(join(folder, at), { withFileTypes: true })
    .flatMap((item) => {
      const path = at === '' ? item.name : `${at}/${item.name}`
      return item.isDirectory() ? namesBelow(folder, path) : [path]
    })
    .sort()
}

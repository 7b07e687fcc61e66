import { bootImagesIn } from '../../distro/layouts.ts'
import { archIn } from '../arch.ts'
import { type Description, nameOnly } from '../description.ts'
import { treePath } from './paths.ts'
import { createNotes, type Notes, splitLines } from './text.ts'

/** Where the MANIFEST of a Debian or Ubuntu `installer-<arch>` folder lies; virtinst asks in this order. */
export const manifestPaths = [
  'current/images/MANIFEST',
  'current/legacy-images/MANIFEST',
  'daily/MANIFEST',
  'images/MANIFEST',
  'MANIFEST',
] as const

/**
 * Reads `MANIFEST` of debian-installer's images: `path -- what it is`. It names the netboot folder and never
 * the arch below it, so for the tree's own arch the kernel is `netboot/<distro>-installer/<arch>/linux`, with
 * the arch from the path (`installer-amd64/`); a Xen kernel is named with its full path. Paths are relative
 * to the file's own folder.
 */
export function readManifest(file: string, text: string): Description | undefined {
  const notes = createNotes(file)
  const named = readPaths(text, notes)
  // Other files are called MANIFEST, too: most lines must have the form, and a path must be an installer's.
  if (notes.list().length > named.length) return undefined
  if (!named.some((path) => /installer|netboot|cdrom|hd-media|\.iso$|vmlinu[xz]|initrd/.test(path)))
    return undefined

  const folder = manifestPaths.find((path) => file.endsWith(path))?.replace(/MANIFEST$/, '') ?? ''
  const arch = archIn(named.join(' ')) ?? archIn(file) ?? ''
  const installer = named.find((path) => /netboot\/(debian|ubuntu)-installer$/.test(path))
  if (installer && arch !== '') named.push(`${installer}/${arch}/linux`, `${installer}/${arch}/initrd.gz`)
  const { platforms } = bootImagesIn(
    named.map((path) => `${folder}${path}`),
    arch,
  )
  const names = { family: familyIn(text), version: '', variant: 'netboot', arch }
  return { ...nameOnly('manifest', names), platforms, problems: notes.list() }
}

function readPaths(text: string, notes: Notes): string[] {
  const named: string[] = []
  splitLines(text).forEach((line, at) => {
    const match = /^\s*(\S+)\s+--\s+\S/.exec(line)
    const path = match?.[1] && treePath(match[1], 'a path', notes, at + 1)
    if (path) named.push(path)
    else if (line.trim() !== '') notes.add('expected "path -- description"', at + 1)
  })
  return named
}

/** Ubuntu's MANIFEST names debian-installer as well. */
function familyIn(text: string): string {
  if (/ubuntu/i.test(text)) return 'Ubuntu'
  return /debian/i.test(text) ? 'Debian' : ''
}

/** Which names below `trees/` are examined, and which can be used in the path of a boot file. */

/** Folders that hold packages or their metadata by the thousand, and never a tree. */
const packageFolders: ReadonlySet<string> = new Set([
  'Packages',
  'repodata',
  'repoview',
  'drpms',
  'by-hash',
  'RPMS',
  'SRPMS',
])

/**
 * Whether a folder of this name is never searched for trees: hidden folders (`.incoming`, `.treeboot*`,
 * `.snapshot`, rsync's `.~tmp~` and `.name.XXXXXX`), folders that file systems and Synology's storage
 * (`@eaDir`) keep for themselves, and folders of packages.
 */
export function isSkippedFolder(name: string): boolean {
  return name.startsWith('.') || name === 'lost+found' || name === '@eaDir' || packageFolders.has(name)
}

/**
 * Whether a file has a name that rsync (`.vmlinuz.a1B2c3`) and other programs give to a file that is still
 * being copied. Such files show that a copy runs, and are never part of a tree.
 */
export function isTemporaryFile(name: string): boolean {
  return /^\..+\.[A-Za-z0-9]{6}$|~$|\.(?:part|filepart|crdownload|tmp|swp)$/.test(name)
}

/**
 * Why a tree id cannot be used by every loader, or undefined when it can. GRUB and PXELINUX split at blanks
 * and know no escapes in paths; TFTP sends bytes without saying their encoding; `%`, `?` and `#` mean
 * something in URLs.
 */
export function treeIdTrouble(id: string): string | undefined {
  const unusable = [...new Set(id.match(/[^A-Za-z0-9._~+@,=/:-]/gu) ?? [])]
  if (unusable.length === 0) return undefined
  return `the name holds ${unusable.map(showCharacter).join(', ')}, which boot loaders cannot take in a path`
}

function showCharacter(character: string): string {
  if (character === ' ') return 'a blank'
  const code = character.codePointAt(0) ?? 0
  return code < 0x20 || code === 0x7f
    ? `the control character U+${code.toString(16).padStart(4, '0')}`
    : `"${character}"`
}

/**
 * The name of the tree that an image holds: `Fedora-40.iso` is the tree `Fedora-40`, so that the image itself
 * stays where it is. The ending only says where to look; what is in the file decides. Undefined for other
 * files.
 */
export function imageStem(name: string): string | undefined {
  if (name.startsWith('.') || isTemporaryFile(name)) return undefined
  return /^(.+)\.(?:iso|img)$/i.exec(name)?.[1]
}

import { isUtf8 } from 'node:buffer'

const textType = 'text/plain; charset=utf-8'
const bytesType = 'application/octet-stream'
/** Types whose files are never text. */
const binaryTypes = /^(image\/(?!svg)|application\/(?!json|xml))/

/**
 * Extensions of text files in an install tree. The charset matters: python-requests reads `text/*` without
 * a charset as ISO-8859-1.
 */
const textExtensions =
  'treeinfo discinfo ks cfg conf ipxe txt log md repo seed preseed list ini sh py asc sum sha256 md5 lst yaml yml'

/** Names of text files in an install tree that have no extension. */
const textNames =
  /^(treeinfo|content|media|products|info|version|manifest|readme.*|copying.*|license.*|eula.*|gpl.*|rpm-gpg-key.*|.*sums?|.*sums?-.*|.*checksum.*|(in)?release|user-data|meta-data|vendor-data|network-config)$/i

const byExtension: ReadonlyMap<string, string> = new Map([
  ...textExtensions.split(' ').map((extension): [string, string] => [extension, textType]),
  ['html', 'text/html; charset=utf-8'],
  ['htm', 'text/html; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['json', 'application/json'],
  ['xml', 'application/xml'],
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['pdf', 'application/pdf'],
  ['gz', 'application/gzip'],
  ['xz', 'application/x-xz'],
  ['bz2', 'application/x-bzip2'],
  ['zst', 'application/zstd'],
  ['tar', 'application/x-tar'],
  ['rpm', 'application/x-rpm'],
  ['deb', 'application/vnd.debian.binary-package'],
  ['iso', 'application/vnd.efi-iso'],
])

/**
 * The Content-Type of a file.
 *
 * UEFI HTTP Boot (EDK2 `HttpBootSupport.c`) takes the image type from this header. Only when it does not know
 * the type, it takes the suffix `.efi`, `.iso` or `.img` of the URL. So every EFI program gets its type,
 * `shimx64.efi.signed` too, and an ISO gets the type that EDK2 knows. `.img` stays plain bytes: `initrd.img`
 * is not a disk image, and EDK2 knows a real disk image by its suffix.
 *
 * A text that is generated for a request has the name of a guest or a MAC and no extension: its content
 * decides.
 */
export function contentTypeOf(path: string, content?: Uint8Array): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (/\.efi(\.|$)/i.test(name)) return 'application/efi'
  const byName = byExtension.get(/\.([^.]*)$/.exec(name)?.[1]?.toLowerCase() ?? '')
  if (byName && !binaryTypes.test(byName)) return byName
  if (textNames.test(name) || isLoaderConfig(path, name)) return textType
  // A guest may be called `db.iso` or `web.gz`, and its answer file is a text.
  if (content && content.length > 0 && isText(content)) return textType
  return byName ?? bytesType
}

/**
 * Configurations of PXELINUX and GRUB, whose names end in a MAC, a UUID or an address instead of an
 * extension.
 */
function isLoaderConfig(path: string, name: string): boolean {
  return path.includes('/pxelinux.cfg/') || name.startsWith('grub.cfg')
}

function isText(content: Uint8Array): boolean {
  return isUtf8(content) && !content.includes(0)
}

import { isUtf8 } from 'node:buffer'

const text = 'text/plain; charset=utf-8'
const bytes = 'application/octet-stream'

/** Extensions of text in an install tree. The charset matters: python-requests reads `text/*` without one as ISO-8859-1. */
const textExtensions =
  'treeinfo discinfo ks cfg conf ipxe txt log md repo seed preseed list ini sh py asc sum sha256 md5 lst yaml yml'

/** Files of an install tree that are text and have no extension. */
const textNames =
  /^(treeinfo|content|media|products|info|version|manifest|readme.*|copying.*|license.*|eula.*|gpl.*|rpm-gpg-key.*|.*sums?|.*sums?-.*|.*checksum.*|(in)?release|user-data|meta-data|vendor-data|network-config)$/i

const byExtension: ReadonlyMap<string, string> = new Map([
  ...textExtensions.split(' ').map((extension): [string, string] => [extension, text]),
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
 * UEFI HTTP Boot (EDK2 `HttpBootSupport.c`) takes the image type from it and only else from the suffix `.efi`,
 * `.iso` or `.img` of the URL. So whatever is an EFI program says so, `shimx64.efi.signed` too; an ISO is what EDK2
 * calls one; and `.img` stays plain bytes, for `initrd.img` is no disk image and a true one is known by its suffix.
 *
 * A text made for a request has the name of a guest or a MAC and no extension: its content decides.
 */
export function contentTypeOf(path: string, content?: Uint8Array): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (/\.efi(\.|$)/i.test(name)) return 'application/efi'
  const known = byExtension.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase())
  if (known && known !== 'application/vnd.efi-iso') return known
  if (textNames.test(name) || path.includes('/pxelinux.cfg/') || name.startsWith('grub.cfg')) return text
  if (content && isText(content)) return text
  return known ?? bytes
}

function isText(content: Uint8Array): boolean {
  return isUtf8(content) && !content.includes(0)
}

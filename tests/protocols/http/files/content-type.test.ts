import { expect, test } from 'vitest'
import { contentTypeOf } from '../../../../server/protocols/http/files/content-type.ts'

const text = 'text/plain; charset=utf-8'
const bytes = 'application/octet-stream'

test.each([
  ['/boot/shimx64.efi', 'application/efi'],
  ['/boot/shimx64.efi.signed', 'application/efi'],
  ['/EFI/BOOT/BOOTX64.EFI', 'application/efi'],
  ['/t/boot.iso', 'application/vnd.efi-iso'],
  ['/t/images/pxeboot/initrd.img', bytes],
  ['/t/images/pxeboot/vmlinuz', bytes],
  ['/t/vmlinuz-5.14.0-70.el9.x86_64', bytes],
  ['/t/initrd.gz', 'application/gzip'],
  ['/t/.treeinfo', text],
  ['/t/treeinfo', text],
  ['/t/.discinfo', text],
  ['/t/.disk/info', text],
  ['/t/media.1/products', text],
  ['/t/README.BETA', text],
  ['/t/SHA256SUMS', text],
  ['/t/RPM-GPG-KEY-fedora', text],
  ['/pxelinux.cfg/01-52-54-00-aa-bb-01', text],
  ['/grub.cfg-01-52-54-00-aa-bb-01', text],
  ['/nocloud/web01/user-data', text],
  ['/t/repodata/repomd.xml', 'application/xml'],
  ['/t/release-notes/index.html', 'text/html; charset=utf-8'],
  ['/constructor', bytes], // every object has a property of this name
  ['/', bytes],
])('%s is %s', (path, type) => {
  expect(contentTypeOf(path)).toBe(type)
})

test('a text made for a request is text, whatever the guest is called', () => {
  const kickstart = Buffer.from('# für web01\nlang en_US\n')
  for (const name of ['/ks/web01', '/ks/web.example.com', '/ks/iso', '/ks/gz', '/ks/db.iso', '/ks/db.gz'])
    expect(contentTypeOf(name, kickstart)).toBe(text)
  expect(contentTypeOf('/ks/web01', Buffer.from([0x1f, 0x8b, 0xff]))).toBe(bytes)
  expect(contentTypeOf('/t/empty.rpm', Buffer.alloc(0))).toBe('application/x-rpm')
  expect(contentTypeOf('/x', Buffer.from('a\0b'))).toBe(bytes)
  expect(contentTypeOf('/x.json', Buffer.from('{}'))).toBe('application/json')
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { efiProgram, grubBuild, headBytes, headOf, isWebPage } from '../../server/dryboot/file-heads.ts'
import { ownPath, urlsIn } from '../../server/dryboot/own-urls.ts'
import { textEntry } from '../../server/files/memory.ts'
import { urls } from '../support/boot-inputs.ts'
import { debianSbat, efiFile } from '../support/dry-boot.ts'

describe('what the head of a file tells', () => {
  test('of a UEFI program: its CPU, and whether it is signed', () => {
    expect(efiProgram(efiFile())).toEqual({ cpu: 'x64', isSigned: true })
    expect(efiProgram(efiFile({ cpu: 'arm64', signed: false }))).toEqual({ cpu: 'arm64', isSigned: false })
    expect(efiProgram(Buffer.from('#!ipxe\n'))).toBeUndefined()
    // The header lies behind the bytes that are there.
    expect(efiProgram(efiFile().subarray(0, 0x90))).toBeUndefined()
  })

  test('of any bytes, nothing is thrown', () => {
    const head = fc.oneof(
      fc.uint8Array({ maxLength: headBytes }),
      // With the mark of a program, and an address of its header anywhere.
      fc.tuple(fc.nat(0xffff_ffff), fc.uint8Array({ minLength: 64, maxLength: 400 })).map(([at, bytes]) => {
        const marked = Buffer.from(bytes)
        marked.write('MZ')
        marked.writeUInt32LE(at, 0x3c)
        return marked
      }),
    )
    fc.assert(fc.property(head, (bytes) => void [efiProgram(bytes), isWebPage(bytes), grubBuild(bytes)]))
  })

  test('of GRUB: who made it, and where it looks', () => {
    expect(grubBuild(Buffer.from(debianSbat))).toEqual({
      vendor: 'debian',
      version: '2.06-13+deb12u2',
      prefix: '/grub',
    })
    const installer = Buffer.from(`\0/debian-installer/amd64/grub\0\n${debianSbat}`)
    expect(grubBuild(installer).prefix).toBe('/debian-installer/amd64/grub')
    expect(grubBuild(Buffer.from('no entry at all'))).toEqual({})
  })

  test('of a page that a download left', async () => {
    expect(isWebPage(Buffer.from('\n<!doctype HTML>'))).toBe(true)
    expect(isWebPage(Buffer.from('<?xml version="1.0"?>'))).toBe(false)
    expect(await headOf(textEntry('x', 'y'.repeat(5000), 0))).toHaveLength(headBytes)
  })
})

describe('URLs of ours in kernel arguments', () => {
  test.each([
    ['http://192.0.2.1:8080/trees/a%20b/x?y', '/trees/a b/x'],
    ['http://192.0.2.1:8080', '/'],
    ['ftp://192.0.2.1:10021/trees/a', '/trees/a'],
    ['nfs:nolock,vers=3:192.0.2.1:/trees/a', '/trees/a'],
    ['nfs:192.0.2.1:/trees/a', '/trees/a'],
    ['nfs://192.0.2.1/trees/a', '/trees/a'],
    ['nfs:192.0.2.9:/trees/a', undefined],
    ['http://192.0.2.1:80801/trees/a', undefined],
    ['http://mirror.example/trees/a', undefined],
  ])('%s', (url, path) => {
    expect(ownPath(url, urls)).toBe(path)
  })

  test('several in one argument, and words before them', () => {
    const found = (value: string) => urlsIn({ key: 'x', value })
    expect(found('live:http://h/a.img')).toEqual(['http://h/a.img'])
    expect(found('http://h/a,http://h/b')).toEqual(['http://h/a', 'http://h/b'])
    expect(found('nocloud;s=http://h/ks/web01/')).toEqual(['http://h/ks/web01/'])
    expect(found('nfs:nolock:h:/a')).toEqual(['nfs:nolock:h:/a'])
    expect(found('auto')).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import type { DhcpPlan } from '../../server/core/loader/dhcp-plan.ts'
import { dhcpClientKinds } from '../../server/core/loader/dhcp-plan.ts'
import { renderDnsmasq } from '../../server/render/dhcp-dnsmasq.ts'
import { renderIsc } from '../../server/render/dhcp-isc.ts'
import { renderKea } from '../../server/render/dhcp-kea.ts'
import { dnsmasqWord, iscString, keaExpressionString } from '../../server/render/dhcp-quote.ts'
import { renderDnsmasq6, renderIsc6, renderKea6 } from '../../server/render/dhcp-v6.ts'
import { expectGolden } from '../support/golden.ts'

const files: Record<string, string> = {
  bios: 'undionly.kpxe',
  'efi-ia32': 'ipxe-i386.efi',
  'efi-x64': 'snponly.efi',
  'efi-arm64': 'boot/loader/debian-12/shimaa64.efi',
  'http-x64': 'http://192.0.2.1:8080/snponly.efi',
  'http-arm64': 'http://192.0.2.1:8080/boot/loader/debian-12/shimaa64.efi',
}

const plan: DhcpPlan = {
  server: '192.0.2.1',
  scriptUrl: 'http://192.0.2.1:8080/boot.ipxe',
  rules: dhcpClientKinds.flatMap((kind) => {
    const bootFile = files[kind.name]
    return bootFile === undefined ? [] : [{ ...kind, bootFile }]
  }),
  missing: dhcpClientKinds.filter(({ name }) => files[name] === undefined).map(({ firmware }) => firmware),
}

const plan6: DhcpPlan = {
  server: '2001:db8::1',
  scriptUrl: 'http://[2001:db8::1]:8080/boot.ipxe',
  rules: plan.rules
    .filter(({ firmware }) => firmware !== 'bios')
    .map((rule) => ({
      ...rule,
      bootFile: rule.http
        ? rule.bootFile.replace('192.0.2.1', '[2001:db8::1]')
        : `tftp://[2001:db8::1]/${rule.bootFile}`,
    })),
  missing: plan.missing,
}

/** A BIOS gets PXELINUX, which is told when to restart the machine. */
const pxelinux: DhcpPlan = {
  ...plan,
  rules: plan.rules
    .filter(({ firmware }) => firmware === 'bios')
    .map((rule) => ({ ...rule, bootFile: 'pxelinux.0', restartSeconds: 60 })),
  missing: [],
}

describe('settings for a DHCP server', () => {
  test('dnsmasq', () => expectGolden('dhcp-config/dnsmasq.conf', renderDnsmasq(plan)))
  test('ISC', () => expectGolden('dhcp-config/dhcpd.conf', renderIsc(plan)))
  test('Kea', () => expectGolden('dhcp-config/kea-dhcp4.json', renderKea(plan)))

  test('dnsmasq, PXELINUX', () => expectGolden('dhcp-config/pxelinux.conf', renderDnsmasq(pxelinux)))
  test('ISC, PXELINUX', () => expectGolden('dhcp-config/pxelinux-dhcpd.conf', renderIsc(pxelinux)))
  test('Kea, PXELINUX', () => expectGolden('dhcp-config/pxelinux-kea-dhcp4.json', renderKea(pxelinux)))

  test('dnsmasq, DHCPv6', () => expectGolden('dhcp-config/dnsmasq6.conf', renderDnsmasq6(plan6)))
  test('ISC, DHCPv6', () => expectGolden('dhcp-config/dhcpd6.conf', renderIsc6(plan6)))
  test('Kea, DHCPv6', () => expectGolden('dhcp-config/kea-dhcp6.json', renderKea6(plan6)))

  test('a kind of machine without a loader is named in the lines, with its numbers', () => {
    for (const text of [renderDnsmasq(plan), renderIsc(plan), renderKea(plan), renderDnsmasq6(plan6)])
      expect(text).toMatch(/no loader for .*uefi-riscv64 \(27\).*uefi-http-loongarch64 \(40\)/)
    for (const text of [renderDnsmasq, renderIsc, renderKea, renderIsc6, renderKea6].map((render) =>
      render({ ...plan, missing: [] }),
    ))
      expect(text).not.toContain('no loader')
  })

  test('without loaders there are no rules for architectures', () => {
    const none = { ...plan, rules: [] }
    expect(renderDnsmasq(none)).not.toContain('client-arch')
    expect(renderIsc(none)).not.toContain('elsif')
    expect(JSON.parse(renderKea(none)).Dhcp4['client-classes']).toHaveLength(1)
  })
})

describe('quoting', () => {
  test('text is quoted, or refused when the format cannot express it', () => {
    for (const text of ['a,b', 'a b', 'a"b', 'a#b', 'a\nb', 'ä'])
      expect(() => dnsmasqWord(text)).toThrow(/dnsmasq/)
    expect(dnsmasqWord('http://[::1]:80/x%20y?a=b')).toBe('http://[::1]:80/x%20y?a=b')
    expect(iscString('a"b\\c')).toBe('"a\\"b\\\\c"')
    expect(() => iscString('a\nb')).toThrow(/dhcpd/)
    expect(keaExpressionString('iPXE')).toBe("'iPXE'")
    expect(() => keaExpressionString("a'b")).toThrow(/Kea/)
  })
})

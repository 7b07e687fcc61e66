import { defined } from '../core/defined.ts'
import { type DhcpPlan, type DhcpRule, missingText } from '../core/loader/dhcp-plan.ts'
import { dnsmasqWord, iscString, keaExpressionString } from './dhcp-quote.ts'

/*
 * Network boot by DHCPv6. The boot file is a URL in option 59, and option 61 has the client's architecture (RFC 5970
 * sections 3.1 and 3.3). Option 60 is left out: EDK2 takes its first parameter for the size of the file in blocks of
 * 512 bytes, and asks TFTP when there is none.
 *
 * UEFI HTTP Boot takes an offer only with the vendor class `HTTPClient` in option 16 (UEFI 2.10 section 24.7.3.1). The
 * option begins with an enterprise number, and each class with its length (RFC 8415 section 21.16). 343 is Intel's,
 * which EDK2 sends itself.
 *
 * iPXE is known by its user class in option 15. There too a length is before the text (RFC 8415 section 21.15).
 */
const httpClientClass = [0x00, 0x00, 0x01, 0x57, 0x00, 0x0a, ...Buffer.from('HTTPClient', 'latin1')]

/**
 * dnsmasq (2.90, seen on the wire) writes option 16 as a text behind its length of two bytes, whatever the value looks
 * like, and cannot write the enterprise number. EDK2 reads neither number nor length: it looks for `HTTPClient` six bytes
 * after the option's header. Four letters before it put it there.
 */
const dnsmasqHttpClass = 'UEFIHTTPClient'

function hex(bytes: readonly number[], separator = ''): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(separator)
}

/** `00:07`: two bytes, so that dnsmasq and dhcpd compare both of them. */
function archBytes(arch: number): string {
  return hex([arch >> 8, arch & 0xff], ':')
}

/** Lines for dnsmasq.conf; dnsmasq 2.80 and newer. They can stand beside those for DHCPv4: the tags differ. */
export function renderDnsmasq6(plan: DhcpPlan): string {
  const missing = missingText(plan)
  return [
    '# iPXE, known by its user class.',
    'dhcp-userclass=set:ipxe-v6,iPXE',
    `dhcp-option=tag:ipxe-v6,option6:bootfile-url,${dnsmasqWord(plan.scriptUrl)}`,
    ...plan.rules.flatMap(dnsmasqLines),
    ...(missing === undefined ? [] : ['', `# ${missing}`]),
    '',
  ].join('\n')
}

function dnsmasqLines({ name, archs, http, bootFile }: DhcpRule): string[] {
  const tag = `${name}-v6`
  return [
    '',
    ...archs.map((arch) => `dhcp-match=set:${tag},option6:61,${archBytes(arch)}`),
    ...(http ? [`dhcp-option-force=tag:${tag},tag:!ipxe-v6,option6:16,${dnsmasqHttpClass}`] : []),
    `dhcp-option=tag:${tag},tag:!ipxe-v6,option6:bootfile-url,${dnsmasqWord(bootFile)}`,
  ]
}

/** Statements for dhcpd6.conf (ISC DHCP 4.3 and newer), for its top level. */
export function renderIsc6(plan: DhcpPlan): string {
  const missing = missingText(plan)
  return [
    'option dhcp6.client-architecture code 61 = array of unsigned integer 16;',
    'option dhcp6.boot-vendor-class code 16 = string;',
    'option dhcp6.boot-user-class code 15 = string;',
    '',
    'if substring(option dhcp6.boot-user-class, 2, 4) = "iPXE" {',
    `  option dhcp6.bootfile-url ${iscString(plan.scriptUrl)};`,
    ...plan.rules.flatMap(iscBranch),
    '}',
    ...(missing === undefined ? [] : [`# ${missing}`]),
    '',
  ].join('\n')
}

function iscBranch({ archs, http, bootFile }: DhcpRule): string[] {
  const test = archs
    .map((arch) => `substring(option dhcp6.client-architecture, 0, 2) = ${archBytes(arch)}`)
    .join(' or ')
  return [
    `} elsif ${test} {`,
    ...(http ? [`  option dhcp6.boot-vendor-class ${hex(httpClientClass, ':')};`] : []),
    `  option dhcp6.bootfile-url ${iscString(bootFile)};`,
  ]
}

/** `client-classes` for the `Dhcp6` map of kea-dhcp6.conf; Kea 2.0 and newer. */
export function renderKea6(plan: DhcpPlan): string {
  const ipxe = {
    name: 'treeboot-ipxe',
    test: `substring(option[15].hex,2,4) == ${keaExpressionString('iPXE')}`,
    'option-data': [{ name: 'bootfile-url', data: plan.scriptUrl, 'always-send': true }],
  }
  const config = {
    ...defined({ comment: missingText(plan) }),
    'client-classes': [ipxe, ...plan.rules.map(keaClass)],
  }
  return `${JSON.stringify({ Dhcp6: config }, undefined, 2)}\n`
}

function keaClass({ name, archs, http, bootFile }: DhcpRule) {
  const arch = archs
    .map((each) => `option[61].hex == 0x${each.toString(16).padStart(4, '0').toUpperCase()}`)
    .join(' or ')
  const vendorClass = {
    name: 'vendor-class',
    'csv-format': false,
    data: hex(httpClientClass).toUpperCase(),
    'always-send': true,
  }
  return {
    name: `treeboot-${name}`,
    test: `(${arch}) and not member(${keaExpressionString('treeboot-ipxe')})`,
    'option-data': [
      { name: 'bootfile-url', data: bootFile, 'always-send': true },
      ...(http ? [vendorClass] : []),
    ],
  }
}

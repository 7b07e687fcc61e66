import { type DhcpPlan, type DhcpRule, missingText } from '../core/loader/dhcp-plan.ts'
import { iscString } from './dhcp-quote.ts'

/** Statements for dhcpd.conf (ISC DHCP 4.3 and newer), for its top level, a subnet or a pool. */
export function renderIsc(plan: DhcpPlan): string {
  const { server, scriptUrl, rules } = plan
  const missing = missingText(plan)
  return [
    'option client-architecture code 93 = array of unsigned integer 16;',
    'option space ipxe;',
    'option ipxe-encap code 175 = encapsulate ipxe;',
    '# 1: iPXE does not wait for a ProxyDHCP server.',
    'option ipxe.no-pxedhcp code 176 = unsigned integer 8;',
    ...(rules.some(({ restartSeconds }) => restartSeconds !== undefined)
      ? ['option pxelinux-restart code 211 = unsigned integer 32;']
      : []),
    '',
    `next-server ${address(server)};`,
    `option tftp-server-name ${iscString(server)};`,
    'if exists user-class and option user-class = "iPXE" {',
    '  option ipxe.no-pxedhcp 1;',
    `  filename ${iscString(scriptUrl)};`,
    ...rules.flatMap(branch),
    '}',
    ...(missing === undefined ? [] : [`# ${missing}`]),
    '',
  ].join('\n')
}

function branch({ archs, http, bootFile, restartSeconds }: DhcpRule): string[] {
  const test = archs
    .map((arch) => `substring(option client-architecture, 0, 2) = 00:${arch.toString(16).padStart(2, '0')}`)
    .join(' or ')
  return [
    `} elsif ${test} {`,
    ...(http ? ['  option vendor-class-identifier "HTTPClient";'] : []),
    ...(restartSeconds === undefined ? [] : restart(restartSeconds)),
    `  filename ${iscString(bootFile)};`,
  ]
}

/** dhcpd sends what is asked for, and no firmware asks for this: PXELINUX reads the reply that its firmware got. */
function restart(seconds: number): string[] {
  return [
    `  option pxelinux-restart ${seconds};`,
    '  if exists dhcp-parameter-request-list {',
    '    option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, d3);',
    '  }',
  ]
}

/** A host name or an address has no quotes in `next-server`. */
function address(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : iscString(text)
}

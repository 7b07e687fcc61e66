import { defined } from '../core/defined.ts'
import { type DhcpPlan, type DhcpRule, missingText } from '../core/loader/dhcp-plan.ts'
import { keaExpressionString } from './dhcp-quote.ts'

/**
 * `option-def` and `client-classes` for the `Dhcp4` map of kea-dhcp4.conf; Kea 2.0 and newer. The first class
 * that matches names the file.
 */
export function renderKea(plan: DhcpPlan): string {
  const { server, scriptUrl, rules } = plan
  const ipxe = {
    name: 'treeboot-ipxe',
    test: `substring(option[77].hex,0,4) == ${keaExpressionString('iPXE')} or option[175].exists`,
    'next-server': server,
    'boot-file-name': scriptUrl,
    // Sub-option 176, one octet, 1: iPXE does not wait for a ProxyDHCP server.
    'option-data': [{ name: 'treeboot-ipxe-encap', code: 175, 'csv-format': false, data: 'B00101' }],
  }
  const config = {
    ...defined({ comment: missingText(plan) }),
    'option-def': [{ name: 'treeboot-ipxe-encap', code: 175, type: 'binary' }],
    'client-classes': [ipxe, ...rules.map((rule) => classOf(rule, server))],
  }
  return `${JSON.stringify({ Dhcp4: config }, undefined, 2)}\n`
}

function classOf({ name, archs, http, bootFile, restartSeconds }: DhcpRule, server: string) {
  const arch = archs
    .map((each) => `option[93].hex == 0x${each.toString(16).padStart(4, '0').toUpperCase()}`)
    .join(' or ')
  // Without `always-send`, Kea sends an option only to clients that ask for it. No firmware asks for 211: PXELINUX reads
  // the reply that its firmware got.
  const options = [
    ...(http ? [{ name: 'vendor-class-identifier', data: 'HTTPClient', 'always-send': true }] : []),
    ...(restartSeconds === undefined
      ? []
      : [{ code: 211, 'csv-format': false, data: uint32(restartSeconds), 'always-send': true }]),
  ]
  return {
    name: `treeboot-${name}`,
    test: `(${arch}) and not member(${keaExpressionString('treeboot-ipxe')})`,
    'next-server': server,
    // `sname`, where a client may look for the server, too (see replyPacket in protocols/dhcp/reply.ts).
    'server-hostname': server,
    'boot-file-name': bootFile,
    ...(options.length > 0 && { 'option-data': options }),
  }
}

function uint32(value: number): string {
  return value.toString(16).padStart(8, '0').toUpperCase()
}

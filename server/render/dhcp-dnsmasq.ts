import { type DhcpPlan, type DhcpRule, missingText } from '../core/loader/dhcp-plan.ts'
import { dnsmasqWord } from './dhcp-quote.ts'

/** Lines for dnsmasq.conf; dnsmasq 2.80 and newer. Ranges, leases and names stay as they are. */
export function renderDnsmasq(plan: DhcpPlan): string {
  const { server, scriptUrl, rules } = plan
  const missing = missingText(plan)
  const next = dnsmasqWord(server)
  return [
    '# shim reads the boot file only from its own field of the packet; without this line dnsmasq moves it to an option.',
    'dhcp-no-override',
    '',
    '# iPXE, known by option 175; its sub-option 176 tells it not to wait for a ProxyDHCP server.',
    'dhcp-match=set:ipxe,175',
    // 1b: the number 1 as one byte.
    'dhcp-option=tag:ipxe,encap:175,176,1b',
    `dhcp-boot=tag:ipxe,${dnsmasqWord(scriptUrl)},,${next}`,
    ...rules.flatMap((rule) => lines(rule, next)),
    ...(missing === undefined ? [] : ['', `# ${missing}`]),
    '',
  ].join('\n')
}

function lines({ name, archs, http, bootFile, restartSeconds }: DhcpRule, next: string): string[] {
  return [
    '',
    ...archs.map((arch) => `dhcp-match=set:${name},option:client-arch,${arch}`),
    // dnsmasq sends option 60 by itself to PXE clients only.
    ...(http ? [`dhcp-option-force=tag:${name},60,HTTPClient`] : []),
    // No firmware asks for it: PXELINUX reads the reply that its firmware got.
    ...(restartSeconds === undefined
      ? []
      : [`dhcp-option-force=tag:${name},tag:!ipxe,211,${restartSeconds}i`]),
    `dhcp-boot=tag:${name},tag:!ipxe,${dnsmasqWord(bootFile)},,${next}`,
  ]
}

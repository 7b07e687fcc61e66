import { z } from 'zod'
import { vmFirmwares } from '../core/boot/test-firmware.ts'
import { reachPoints } from '../core/boottest/result.ts'
import { archiveDistros } from '../core/distro/cd-initrd.ts'
import { loaderOrigins, loaderPreferences } from '../core/loader/loaders.ts'
import { canonicalIp } from '../core/net/address.ts'
import { plainSourceUrl } from '../core/net/listed-url.ts'
import { cardMac } from '../core/net/mac.ts'
import { canonicalNetwork } from '../core/net/network.ts'
import { canonicalSerial, canonicalUuid } from '../core/net/uuid.ts'
import { installSources, type OwnKey, type ServiceName, type serviceKeys } from '../core/services.ts'
import type { DefinitionKind } from './definition-files.ts'
import { network } from './network-schema.ts'
import { oidcSchema } from './oidc-schema.ts'
import { parseSchedule } from './schedule.ts'
import {
  age,
  canonical,
  count,
  flag,
  line,
  oneOf,
  oneOrMore,
  type SectionOf,
  section,
  text,
  time,
} from './schema-parts.ts'
import { selectorKeys } from './selector-schema.ts'
import { webhooks } from './webhook-schema.ts'

/**
 * The shape of config.yaml as an operator writes it. Every `error` is the part of a message after "expected".
 * problems.ts adds the rest: the position and what was found. Values are numbers only if they were written
 * plainly (see yaml.ts), so text fields accept numbers too.
 */

const bindText = 'an address to listen on, such as "::", 0.0.0.0 or 192.168.1.1'
const bind = line(bindText).refine(
  (value) => value === 'localhost' || canonicalIp(value) !== undefined,
  bindText,
)
const portText = 'a port from 0 to 65535, or auto'
const port = z.union([z.literal('auto'), z.int().min(0, portText).max(65535, portText)], { error: portText })
/** The keys of every service. */
const commonKeys = {
  enabled: flag.optional(),
  bind: bind.optional(),
  port: port.optional(),
} satisfies SectionOf<(typeof serviceKeys)[number]>

const passiveText = 'a range of ports, such as 30000-30099'
const passivePorts = line(passiveText).transform((value, context) => {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(value) ?? []
  const range = { from: Number(from), to: Number(to) }
  if (range.from >= 1 && range.from <= range.to && range.to <= 65535) return range
  context.issues.push({ code: 'custom', message: passiveText, input: value })
  return z.NEVER
})

const tildeText = 'a path without ~, which only a shell expands'
const hasNoTilde = (path: string) => !path.startsWith('~')
const folder = line('the path of a folder').refine(hasNoTilde, tildeText)

const keyText = 'the path of a file with an OpenPGP key'
const keyFile = line(keyText).refine(hasNoTilde, tildeText)

const witnessText = 'the path of a file outside of the data folder'
const witnessFile = line(witnessText).refine(hasNoTilde, tildeText)

const pemFile = line('the path of a PEM file').refine(hasNoTilde, tildeText)

const nameText = 'a name of letters, digits, dots, dashes and underscores that begins with a letter or digit'
/** The name of a guest or profile. */
export const definitionName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, nameText)

const treeTraits = section({
  id: line('the id of a tree: its path below the trees folder').optional(),
  distro: line('the name of a distribution, such as fedora')
    .transform((value) => value.toLowerCase())
    .optional(),
  version: line('a version, such as "40"').optional(),
  variant: line('a variant, such as Server').optional(),
  arch: line('an architecture, such as x86_64').optional(),
}).superRefine((tree, context) => {
  const refuse = (message: string) => context.addIssue({ code: 'custom', message })
  const given = Object.keys(tree).length
  if (given === 0) refuse('an id or at least one of distro, version, variant, arch')
  else if (tree.id !== undefined && given > 1)
    refuse('either an id or traits (distro, version, variant, arch), not both')
})
const tree = z.union([line('the id of a tree').transform((id) => ({ id })), treeTraits], {
  error: 'the id of a tree, or a mapping with distro, version, variant, arch',
})

const argText = 'one kernel argument per item, with double quotes around a value that contains blanks'
const arg = line(argText).refine((value) => !/[\s"]/.test(value.replace(/"[^"]*"/g, '')), argText)

const template = line('a file below the templates folder').refine(
  (value) => !value.startsWith('/') && !value.split('/').includes('..'),
  'a file below the templates folder, named without leading / and without ..',
)

const virt = section({
  hypervisor: oneOf(['kvm', 'qemu', 'xen']).optional(),
  type: oneOf(['hvm', 'pv']).optional(),
  memory: count(1, 'memory in MiB, a whole number').optional(),
  vcpus: count(1, 'a whole number of virtual CPUs').optional(),
  disk: count(1, 'the size of the disk in GiB, a whole number').optional(),
  network: line(
    'a network in the form of virt-install, such as bridge=br0, network=default or user',
  ).optional(),
})

const loader = oneOf(loaderPreferences)

/** The keys that profiles and guests share. */
const settings = {
  tree: tree.optional(),
  template: template.optional(),
  args: oneOrMore(arg, `a list, ${argText}`).optional(),
  vars: z.record(z.string(), z.json(), { error: 'a mapping of names to values' }).optional(),
  virt: virt.optional(),
  network: network.optional(),
  source: oneOf(installSources).optional(),
  retry: flag.optional(),
  loader: loader.optional(),
  'loader-from': oneOf(loaderOrigins).optional(),
}

/** Linux takes at most 15 bytes (IFNAMSIZ), without blanks and slashes. */
const interfaceName = /^[^\s/]{1,15}$/
const interfaceText = 'the name of a network interface, such as br0'
const profileNames = oneOrMore(text('the name of a profile'), 'the name of a profile, or a list of names')
const macText = 'the MAC address of one card, such as 52:54:00:aa:bb:01'

export const profileSchema = section({ inherits: profileNames.optional(), ...selectorKeys, ...settings })

const uuidText = 'a UUID such as 4c4c4544-0042-3510-8052-b4c04f4a3732'
const serialText = 'a serial number of at most 128 characters'

export const guestSchema = section({
  mac: oneOrMore(canonical(cardMac, macText), `${macText}, or a list of them`).optional(),
  uuid: canonical(canonicalUuid, uuidText).optional(),
  serial: line('a serial number')
    .refine((value) => canonicalSerial(value) !== undefined, serialText)
    .transform((value) => value.trim())
    .optional(),
  ip: canonical(canonicalIp, 'an IP address such as 10.0.0.7').optional(),
  profile: profileNames.optional(),
  ...settings,
  // Written by `auto: install`.
  shown: section({
    uuid: canonical(canonicalUuid, uuidText).optional(),
    serial: canonical(canonicalSerial, serialText).optional(),
  }).optional(),
})

const mirrorUrlText = 'a URL of http, https, ftp or rsync, such as https://mirror.example/fedora/40/os/'
const mirrorUrl = line(mirrorUrlText).refine(
  (value) => /^(https?|ftp|rsync):\/\//i.test(value) && URL.canParse(value),
  mirrorUrlText,
)
const scheduleText = '"every 24h" (m, h or d, at least 10m) or "daily at 03:00"'
const schedule = text(scheduleText).transform((value, context) => {
  const found = parseSchedule(value)
  if (found) return found
  context.issues.push({ code: 'custom', message: scheduleText, input: value })
  return z.NEVER
})
/** At most eight names: trees are found no deeper (`maxDepth` in catalog/scan/discover.ts). */
export const mirrorId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,7}$/,
    'the id of a tree, such as fedora-40-x86_64',
  )

export const mirrorSchema = section({
  url: oneOrMore(mirrorUrl, `${mirrorUrlText}, or a list of mirrors of the same tree`),
  schedule: schedule.optional(),
  'boot-only': flag.optional(),
})

const allowedText = 'a URL of http, https, ftp or rsync without a password, or an absolute path'
const allowedSource = line(allowedText).refine(
  (value) => value.startsWith('/') || plainSourceUrl(value) !== undefined,
  allowedText,
)

const hostNameText = 'the name of a host, such as boot.example.org'
const hostName = line(hostNameText)
  .refine((value) => /^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9])?$/i.test(value), hostNameText)
  .transform((value) => value.toLowerCase())

const minute = 60_000
const sessionTime = (least: string, most: string, range: { leastMs: number; mostMs: number }) =>
  time(`a time such as 30m or 12h, from ${least} to ${most}`, range)

const bootTestTime = time('auto, or a time such as 20m or 2h, from 1m to 12h', {
  leastMs: minute,
  mostMs: 720 * minute,
})
const bootTest = section({
  firmware: oneOrMore(oneOf(vmFirmwares), `one of ${vmFirmwares.join(', ')}, or a list of them`).optional(),
  reach: oneOf(['auto', ...reachPoints]).optional(),
  required: flag.optional(),
  timeout: z.union([z.literal('auto'), bootTestTime]).optional(),
})

const networkText = 'an address or a network, such as 10.0.0.7 or 10.0.0.0/8'
const httpKeys = {
  'fast-path': flag.optional(),
  'connections-per-client': count(1, 'a number of connections, at least 1').optional(),
  'requests-per-client': count(1, 'a number of requests, at least 1').optional(),
  'trusted-proxies': oneOrMore(
    canonical(canonicalNetwork, networkText),
    `${networkText}, or a list of them`,
  ).optional(),
} satisfies SectionOf<OwnKey<'http'>>
const ftpKeys = {
  'passive-ports': passivePorts.optional(),
  'public-address': canonical(canonicalIp, 'the address at which FTP clients reach this server').optional(),
  tls: section({ certificate: pemFile, key: pemFile }).optional(),
} satisfies SectionOf<OwnKey<'ftp'>>

const dhcpKeys = {
  mode: oneOf(['off', 'proxy']).optional(),
  interfaces: oneOrMore(
    line(interfaceText).refine((value) => interfaceName.test(value), interfaceText),
    'the name of a network interface, or a list of names',
  ).optional(),
  'known-only': flag.optional(),
  loader: loader.optional(),
} satisfies SectionOf<OwnKey<'dhcp'>>

/** One section for each service of `core/services.ts`. */
const serviceSections = {
  http: section({ ...commonKeys, ...httpKeys }).optional(),
  tftp: section(commonKeys).optional(),
  ftp: section({ ...commonKeys, ...ftpKeys }).optional(),
  nfs: section(commonKeys).optional(),
  syslog: section(commonKeys).optional(),
  // Messages list the keys in this order: `mode` first.
  dhcp: section({ ...dhcpKeys, ...commonKeys }).optional(),
} satisfies SectionOf<ServiceName>

export const configFileSchema = section({
  server: section({
    bind: bind.optional(),
    url: canonical(
      baseUrl,
      'the URL at which guests reach this server, such as http://mirror.example:8080',
    ).optional(),
    names: oneOrMore(hostName, `${hostNameText}, or a list of them`).optional(),
    'stop-grace': time('a time such as 60s or 2m, at most 1h').optional(),
  }).optional(),
  access: section({
    anonymous: oneOf(['none', 'viewer']).optional(),
    session: section({
      idle: sessionTime('1m', '24h', { leastMs: minute, mostMs: 1440 * minute }).optional(),
      max: sessionTime('5m', '30d', { leastMs: 5 * minute, mostMs: 43_200 * minute }).optional(),
    }).optional(),
    metrics: oneOrMore(
      canonical(canonicalNetwork, networkText),
      `${networkText}, or a list of them`,
    ).optional(),
    oidc: oidcSchema.optional(),
  }).optional(),
  ...serviceSections,
  paths: section({
    trees: folder.optional(),
    tftpboot: folder.optional(),
    templates: folder.optional(),
    data: folder.optional(),
  }).optional(),
  reports: section({ 'require-token': flag.optional() }).optional(),
  boots: section({ keep: age('a time such as 90d or 36h, from 1h to 3650d').optional() }).optional(),
  limits: section({ 'min-free': count(0, 'a size in MiB, a whole number').optional() }).optional(),
  state: section({
    witness: oneOrMore(witnessFile, `${witnessText}, or a list of them`).optional(),
  }).optional(),
  import: section(
    {
      'max-unpacked': count(1, 'a size in GiB, a whole number').optional(),
      archives: z
        .partialRecord(
          oneOf(archiveDistros),
          canonical(baseUrl, 'the URL of a copy of its archive, the folder that has dists/'),
          { error: `a mapping of ${archiveDistros.join(', ')} to the URL of an archive` },
        )
        .optional(),
    },
    { allow: 'imports.allow' },
  ).optional(),
  imports: section(
    { allow: oneOrMore(allowedSource, `${allowedText}, or a list of them`).optional() },
    { 'max-unpacked': 'import.max-unpacked', archives: 'import.archives' },
  ).optional(),
  verify: section({
    keys: oneOrMore(keyFile, `${keyText}, or a list of them`).optional(),
    'require-signature': flag.optional(),
    'boot-test': bootTest.optional(),
  })
    .superRefine((verify, context) => {
      if (verify['require-signature'] !== true || (verify.keys ?? []).length > 0) return
      const message = 'false, or at least one key file in verify.keys'
      context.addIssue({ code: 'custom', path: ['require-signature'], message })
    })
    .optional(),
  unknown: oneOf(['menu', 'local', 'ignore']).optional(),
  'menu-timeout': count(0, 'seconds, a whole number').optional(),
  webhooks: webhooks.optional(),
  mirrors: z.record(mirrorId, mirrorSchema, { error: 'a mapping of tree ids to mirrors' }).optional(),
  profiles: z
    .record(definitionName, profileSchema, { error: 'a mapping of profile names to profiles' })
    .optional(),
  guests: z.record(definitionName, guestSchema, { error: 'a mapping of guest names to guests' }).optional(),
})

export type ConfigFile = z.output<typeof configFileSchema>
export type ProfileInFile = z.output<typeof profileSchema>
export type GuestInFile = z.output<typeof guestSchema>

/** JSON Schema of config.yaml, for editors. It has the keys and types, but not every rule for the values. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configFileSchema, { io: 'input', unrepresentable: 'any' })
}

/** JSON Schema of one file in `guests.d`, `profiles.d` or `mirrors.d`. */
export function definitionJsonSchema(kind: DefinitionKind): Record<string, unknown> {
  const schemas = { guest: guestSchema, profile: profileSchema, mirror: mirrorSchema }
  return z.toJSONSchema(schemas[kind], { io: 'input', unrepresentable: 'any' })
}

/**
 * Normalises an http(s) URL to which paths can be appended: it has no query, fragment, password or trailing
 * slash.
 */
function baseUrl(value: string): string | undefined {
  if (!URL.canParse(value)) return undefined
  const url = new URL(value)
  const extra = url.search || url.hash || url.username || url.password
  if (extra || !['http:', 'https:'].includes(url.protocol)) return undefined
  return url.href.replace(/\/+$/, '')
}

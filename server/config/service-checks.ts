import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { createSecureContext } from 'node:tls'
import { failureMessage } from '../core/failure.ts'
import { nearestName } from '../core/select/nearest.ts'
import { type ServiceName, serviceNames } from '../core/services.ts'
import { type ProblemList, showPath, whyUnreadable } from './problems.ts'
import type { Config } from './schema.ts'
import type { YamlPath, YamlText } from './yaml.ts'

/** What keeps a service from opening, found before it is tried. */
export async function checkServices(config: Config, text: YamlText, problems: ProblemList): Promise<void> {
  checkPorts(config, text, problems)
  checkInterfaces(config, text, problems)
  await checkCertificate(config, text, problems)
}

/** A port of TCP and one of UDP with the same number are two ports. Syslog has both. */
const byDatagram: ReadonlySet<ServiceName> = new Set(['tftp', 'dhcp', 'syslog'])
const byDatagramAlone: ReadonlySet<ServiceName> = new Set(['tftp', 'dhcp'])

/** Two services cannot have one port. `auto` moves by itself, and 0 is any free port. */
function checkPorts(config: Config, text: YamlText, problems: ProblemList): void {
  const fixed = serviceNames.filter((name) => config[name].enabled && Number(config[name].port) > 0)
  for (const [at, name] of fixed.entries()) {
    const other = fixed.slice(0, at).find((each) => isSamePort(each, name, config))
    if (other === undefined) continue
    // The default of the later one may be meant; then the earlier one is written.
    const path: YamlPath = isWritten(text, name) ? [name, 'port'] : [other, 'port']
    const message = `${showPath(path)}: ${other} and ${name} cannot both listen on port ${config[name].port}`
    problems.add('error', text.position(path, 'value'), message, 'give one of them another port, or auto')
  }
}

function isSamePort(a: ServiceName, b: ServiceName, config: Config): boolean {
  const byBoth = (both: ReadonlySet<ServiceName>) => both.has(a) && both.has(b)
  const isApart = !byBoth(byDatagram) && (byDatagramAlone.has(a) || byDatagramAlone.has(b))
  if (isApart || config[a].port !== config[b].port) return false
  const binds = [config[a].bind, config[b].bind]
  return binds[0] === binds[1] || binds.some((bind) => bind === '0.0.0.0' || bind === '::')
}

function isWritten({ value }: YamlText, name: ServiceName): boolean {
  const section = ((value ?? {}) as Readonly<Record<string, unknown>>)[name]
  return typeof section === 'object' && section !== null && Object.hasOwn(section, 'port')
}

/** A warning, because an interface may come later; until then no machine on it is answered. */
function checkInterfaces({ dhcp }: Config, text: YamlText, problems: ProblemList): void {
  if (!dhcp.enabled || dhcp.interfaces.length === 0) return
  const present = Object.keys(networkInterfaces())
  for (const [at, name] of dhcp.interfaces.entries()) {
    if (present.includes(name)) continue
    const path: YamlPath = isList(text) ? ['dhcp', 'interfaces', at] : ['dhcp', 'interfaces']
    const near = nearestName(name, present)
    problems.add(
      'warning',
      text.position(path, 'value'),
      `${showPath(path)}: this machine has no interface ${name} with an address`,
      near === undefined ? `it has ${present.join(', ')}` : `did you mean '${near}'?`,
    )
  }
}

function isList({ value }: YamlText): boolean {
  const { dhcp } = (value ?? {}) as { readonly dhcp?: { readonly interfaces?: unknown } }
  return Array.isArray(dhcp?.interfaces)
}

async function checkCertificate({ ftp }: Config, text: YamlText, problems: ProblemList): Promise<void> {
  if (!ftp.enabled || !ftp.tls) return
  const pem: Record<string, Buffer> = {}
  for (const key of ['certificate', 'key'] as const)
    try {
      pem[key] = await readFile(ftp.tls[key])
    } catch (error) {
      const path: YamlPath = ['ftp', 'tls', key]
      const why = whyUnreadable(error as NodeJS.ErrnoException)
      problems.add('error', text.position(path, 'value'), `${showPath(path)}: ${ftp.tls[key]} ${why}`)
    }
  const { certificate: cert, key } = pem
  if (!cert || !key) return
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const path: YamlPath = ['ftp', 'tls']
    const message = `${showPath(path)}: certificate and key cannot be used: ${failureMessage(error)}`
    problems.add('error', text.position(path, 'key'), message, 'give the PEM files of one key pair')
  }
}

import type { ServerUrls } from '../boot/plan.ts'
import { urlOfPath } from '../boot/urls.ts'
import type { Guest, VarValue } from '../guest/guest.ts'
import { type Report, reports } from '../guest/state.ts'
import type { Tree } from '../tree/tree.ts'
import { type TreeRepositories, treeRepositories } from './repositories.ts'

/** What an answer file is made from. */
export interface AnswerFacts {
  readonly guest: Guest
  /**
   * Absent for a guest without a fitting tree: then only templates that do not use `tree` can be rendered.
   */
  readonly tree?: Tree
  readonly urls: ServerUrls
  /**
   * The last part of the report URLs. A report with the token is believed, whatever address it comes from.
   */
  readonly token?: string
}

export interface AnswerContext {
  /** Plain data for the template. README.md in kickstart-templates/ lists every name. */
  readonly context: Record<string, unknown>
  /** A message for the operator for each var that a built-in value hides. */
  readonly problems: readonly string[]
}

/**
 * Collects the values that a template can use. Vars are under `vars` and, for convenience, also at the top
 * level. A built-in value hides a var of the same name there, and `problems` says so.
 */
export function answerContext(facts: AnswerFacts): AnswerContext {
  const { guest, tree, urls, token } = facts
  const vars = Object.fromEntries(
    Object.entries(guest.settings.vars).map(([name, sourced]) => [name, sourced.value]),
  )
  const repositories: TreeRepositories = tree ? treeRepositories(tree, urls.http) : { all: [] }
  const builtIn: Record<string, unknown> = {
    guest: guestData(guest),
    profile: guest.profiles[0] ?? '',
    profiles: guest.profiles,
    virt: virtData(guest),
    source: guest.settings.source.value,
    ...(tree && { tree: treeData(tree, urls) }),
    repos: repositories.all,
    ...(repositories.base && { base_repo: repositories.base }),
    server: serverData(urls),
    ks_url: urlOfPath(urls.http, `/ks/${guest.name}`),
    report_url: reportUrl(guest, urls, 'installed', token),
    report_urls: Object.fromEntries(reports.map((report) => [report, reportUrl(guest, urls, report, token)])),
    vars,
  }
  const problems = Object.keys(vars)
    .filter(
      (name) =>
        Object.hasOwn(builtIn, name) ||
        reservedNames.has(name) ||
        (name === 'network' && guest.settings.network !== undefined),
    )
    .map((name) => hiddenVar(name, guest))
  return { context: { ...vars, ...builtIn }, problems }
}

/**
 * More built-in names: those that not every guest has, and those that the namespace or the template engine
 * adds.
 */
const reservedNames: ReadonlySet<string> = new Set([
  'tree',
  'base_repo',
  'install_source',
  'repo_lines',
  'loop',
])

function hiddenVar(name: string, guest: Guest): string {
  const from = guest.settings.vars[name]?.from ?? guest.definedAt
  return `vars.${name} of ${from} has the name of something built in; templates reach it as vars.${name} only`
}

function guestData(guest: Guest): Record<string, unknown> {
  return {
    name: guest.name,
    macs: guest.macs,
    retry: guest.settings.retry.value,
    ...(guest.macs[0] !== undefined && { mac: guest.macs[0] }),
    ...(guest.uuid !== undefined && { uuid: guest.uuid }),
    ...(guest.serial !== undefined && { serial: guest.serial }),
    ...(guest.ip !== undefined && { ip: guest.ip }),
  }
}

function virtData(guest: Guest): Record<string, VarValue> {
  return Object.fromEntries(Object.entries(guest.settings.virt).map(([key, sourced]) => [key, sourced.value]))
}

function treeData(tree: Tree, urls: ServerUrls): Record<string, unknown> {
  const { id, family, distro, version, variant, arch } = tree
  const major = Number(/^\d+/.exec(version)?.[0])
  return {
    id,
    family,
    distro,
    version,
    variant,
    arch,
    // A rolling release has no number. 999 is newer than any number that a template compares it with.
    major: Number.isNaN(major) ? 999 : major,
    ...(tree.codename !== undefined && { codename: tree.codename }),
    url: urlOfPath(urls.http, `/trees/${id}`),
    path: urlOfPath('', `/trees/${id}`),
  }
}

function serverData(urls: ServerUrls): Record<string, unknown> {
  const url = new URL(urls.http)
  const defaultPort = url.protocol === 'https:' ? 443 : 80
  return {
    http: urls.http,
    host: url.hostname,
    port: url.port === '' ? defaultPort : Number(url.port),
    ...(urls.ftp !== undefined && { ftp: urls.ftp }),
    ...(urls.tftp !== undefined && { tftp: urls.tftp }),
    ...(urls.nfs && { nfs: urls.nfs.host }),
  }
}

/** The URL to which the guest posts this report. */
function reportUrl(guest: Guest, urls: ServerUrls, report: Report, token: string | undefined): string {
  const place = `/api/v1/guests/${guest.name}/${report}`
  return urlOfPath(urls.http, token === undefined ? place : `${place}/${token}`)
}

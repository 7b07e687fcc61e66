import { basename, dirname, join, resolve } from 'node:path'
import { LRUCache } from 'lru-cache'
import { defined } from '../core/defined.ts'
import type { Guest, Profile } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { type ServiceName, serviceNames, serviceTable } from '../core/services.ts'
import { type ConfigFile, configFileSchema } from './file-schema.ts'
import { resolveGuests } from './guests.ts'
import { checkKeyFiles } from './key-files.ts'
import { checkMirrors } from './mirror-checks.ts'
import { checkNamedFolders } from './named-folders.ts'
import { checkSecretFile, oidcSettings } from './oidc-schema.ts'
import { checkPaths, checkRealPaths } from './private-paths.ts'
import { ConfigError, ProblemList, reportIssues } from './problems.ts'
import type {
  AccessConfig,
  Config,
  DhcpConfig,
  FtpConfig,
  HttpConfig,
  ImportConfig,
  MirrorConfig,
  ServiceConfig,
} from './schema.ts'
import { checkServices } from './service-checks.ts'
import { type Settled, settle } from './settle.ts'
import type { ConfigTexts } from './texts.ts'
import { webhookSettings } from './webhook-schema.ts'
import { entryKey, type Layer, type WithDefinitions, withDefinitions } from './with-definitions.ts'
import { readYaml, type YamlMapping, type YamlPath, type YamlText, type YamlValue } from './yaml.ts'

/** The configuration for the rest of the server: with defaults, resolved inheritance, and problems. */
export interface LoadedConfig {
  readonly config: Config
  /** Guests of config.yaml in the order of the file, then those of `guests.d`. */
  readonly guests: readonly Guest[]
  readonly profiles: ReadonlyMap<string, Profile>
  /** Warnings, and the errors of definition files that are not in force as they are. */
  readonly problems: readonly SnapshotProblem[]
  /** How many definition files are not in force as they are. */
  readonly filesNotInForce: number
}

/** Below the trees: in the folder that treeboot keeps for itself, which is never searched or served. */
const defaultWitness = '.treeboot/store-witness.json'

/** A configuration that was loaded, and the texts that are in force with it: all, or the last good ones of some files. */
export interface InForce {
  readonly loaded: LoadedConfig
  readonly texts: ConfigTexts
}

/**
 * @param lastGood Finds the texts that were in force last. They are asked for only when a definition file has errors.
 * @throws ConfigError with all problems of config.yaml, of the files beside it, and of the files that it names.
 */
export async function loadConfigTexts(
  texts: ConfigTexts,
  lastGood?: () => Promise<ConfigTexts | undefined>,
): Promise<InForce> {
  const make = maker(texts)
  const whole = make(texts.files.map((file) => ({ file, use: 'present', isChanged: true })))
  const settled =
    whole.problems.of('error').length === 0
      ? { made: whole, texts, problems: [], notInForce: 0 }
      : await settle({ texts, lastGood: await lastGood?.() }, make)
  const loaded = await finishChecks(settled.made, settled)
  if (texts.text !== undefined) return { loaded, texts: settled.texts }
  const { file: _, ...defaults } = loaded.config
  return { loaded: { ...loaded, config: defaults }, texts: settled.texts }
}

/** The checks that look at the disk. */
async function finishChecks(draft: Draft, settled: Settled<Draft>): Promise<LoadedConfig> {
  const { loaded, yaml, problems } = draft
  if (loaded) {
    await checkKeyFiles(loaded.config, yaml, problems)
    await checkRealPaths(loaded.config, yaml, problems)
    await checkNamedFolders(loaded.config, yaml, problems)
    await checkSecretFile(loaded.config, yaml, problems)
    await checkServices(loaded.config, yaml, problems)
  }
  return finish(draft, settled)
}

/**
 * Reads the text of a config.yaml. `fileName` is its name in messages. Relative paths in it start at
 * `baseFolder`. The files that it names are not read.
 *
 * @throws ConfigError with all problems, in the order of the lines.
 */
export function parseConfig(text: string, fileName: string, baseFolder: string): LoadedConfig {
  return finish(
    draftConfig({ text, fileName, baseFolder, layers: [], isConfigChanged: true, read: readYaml }),
  )
}

/** A configuration whose checks are not finished. */
interface Draft {
  readonly problems: ProblemList
  readonly yaml: YamlText
  readonly file?: ConfigFile
  /** Undefined when the problems prevent any result. */
  readonly loaded?: Pick<LoadedConfig, 'config' | 'guests' | 'profiles'>
}

interface DraftParts {
  readonly text: string
  readonly fileName: string
  readonly baseFolder: string
  readonly layers: readonly Layer[]
  readonly isConfigChanged: boolean
  readonly read: (text: string) => YamlText
}

/** Of all texts together, in characters. Ten thousand guests have a tenth of this. */
const mostParsed = 16 * 2 ** 20
/** What was parsed, so that one edit among ten thousand files parses one file. Never changed: see `copyOf`. */
const parsed = new LRUCache<string, YamlText>({
  maxSize: mostParsed,
  sizeCalculation: (_, source) => source.length + 1,
})

/** Makes drafts of one configuration, with some texts or others of its files. */
function maker({ shownName: fileName, path, text }: ConfigTexts) {
  const read = (source: string): YamlText => {
    const yaml = parsed.get(source) ?? readYaml(source)
    parsed.set(source, yaml)
    // The checks remove what is wrong from the data.
    return { ...yaml, value: copyOf(yaml.value) }
  }
  const parts = { text: text ?? '', fileName, baseFolder: dirname(path), read }
  return (layers: readonly Layer[], isConfigChanged = true): Draft =>
    draftConfig({ ...parts, layers, isConfigChanged })
}

function copyOf(value: YamlValue): YamlValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf)
  const copy: YamlMapping = Object.create(null)
  for (const [key, inner] of Object.entries(value)) copy[key] = copyOf(inner)
  return copy
}

function draftConfig({ text, fileName, baseFolder, layers, isConfigChanged, read }: DraftParts): Draft {
  const problems = new ProblemList(fileName)
  const own = read(text.replace(/^\uFEFF/, ''))
  for (const { message, ...at } of own.faults) problems.add('error', at, message)
  const definitions = withDefinitions(own, layers, { problems, read })
  const { yaml } = definitions
  if (own.faults.length > 0) return { problems, yaml }

  const root = yaml.value ?? Object.create(null)
  dropBlanks(root, [])
  const profileNames = new Set(Object.keys((root as YamlMapping).profiles ?? {}))
  // A profile whose file is wrong is there: its guests are not to blame.
  for (const { file } of layers) if (file.kind === 'profile') profileNames.add(file.name)
  const file = validate(root, yaml, problems)
  if (!file) return { problems, yaml }
  const origins = { ...definitions, isConfigChanged }
  const { guests, profiles } = resolveGuests(file, { fileName, text: yaml, profileNames, problems, origins })
  const defaults = fillDefaults(file, resolve(baseFolder, basename(fileName)), resolve(baseFolder))
  const config = { ...defaults, mirrors: defaults.mirrors.map((mirror) => withPlace(mirror, definitions)) }
  checkPaths(config, yaml, problems)
  checkMirrors(config, yaml, problems)
  return { problems, yaml, file, loaded: { config, guests, profiles } }
}

function withPlace(mirror: MirrorConfig, { layers }: WithDefinitions): MirrorConfig {
  return layers.has(entryKey('mirrors', mirror.id)) ? { ...mirror, inFile: true } : mirror
}

function finish({ problems, loaded }: Draft, settled?: Settled<Draft>): LoadedConfig {
  const ofFiles = settled?.problems ?? []
  const errors = problems.of('error')
  if (errors.length > 0 || !loaded) throw new ConfigError([...errors, ...ofFiles])
  return {
    ...loaded,
    problems: [...ofFiles, ...problems.of('warning')],
    filesNotInForce: settled?.notInForce ?? 0,
  }
}

/**
 * Checks against the schema. A refused value is removed and the rest is checked again, so that one mistake
 * does not hide the others.
 */
function validate(root: YamlValue, text: YamlText, problems: ProblemList): ConfigFile | undefined {
  let result = configFileSchema.safeParse(root)
  if (result.success) return result.data
  let refused = reportIssues(result.error.issues, text, problems)
  for (let round = 0; round < maxPruningRounds; round++) {
    for (const path of refused) prune(root, path)
    result = configFileSchema.safeParse(root)
    if (result.success) return result.data
    // These problems come from the removal itself, such as an empty selector. The operator did not make them.
    refused = reportIssues(result.error.issues, text, new ProblemList(''))
  }
  return undefined
}

/** One round removes a value, the next round the mapping that has become empty, and so on upwards. */
const maxPruningRounds = 4

/** Removes the value at a path. When it is in a list, removes the whole list. */
function prune(root: YamlValue, path: YamlPath): void {
  const index = path.findIndex((step) => typeof step === 'number')
  const keys = index < 0 ? path : path.slice(0, index)
  let here: YamlValue | undefined = root
  for (const [depth, key] of keys.entries()) {
    if (typeof here !== 'object' || here === null) return
    if (depth === keys.length - 1) delete (here as YamlMapping)[key]
    else here = (here as YamlMapping)[key]
  }
}

/**
 * Removes keys without a value (`guests:` with nothing below). A guest or profile without a value becomes an
 * empty mapping. In vars, null stays: it is a value there.
 */
function dropBlanks(value: YamlValue, path: YamlPath): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  const named = path.length === 1 && (path[0] === 'guests' || path[0] === 'profiles')
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null && named) value[key] = Object.create(null)
    else if (inner === null) delete value[key]
    else if (!(path.length === 2 && key === 'vars')) dropBlanks(inner, [...path, key])
  }
}

/** The settings that every service has. */
function commonSettings(file: ConfigFile, bind: string): Record<ServiceName, ServiceConfig> {
  const settings = serviceNames.map((name): [ServiceName, ServiceConfig] => {
    const known = serviceTable[name]
    const { enabled = known.enabled, bind: own = bind, port = known.defaultPort } = file[name] ?? {}
    return [name, { enabled, bind: own, port }]
  })
  return Object.fromEntries(settings) as Record<ServiceName, ServiceConfig>
}

function httpSettings(written: ConfigFile['http'], common: ServiceConfig): HttpConfig {
  return {
    ...common,
    fastPath: written?.['fast-path'] ?? true,
    connectionsPerClient: written?.['connections-per-client'] ?? 512,
    requestsPerClient: written?.['requests-per-client'] ?? 64,
    trustedProxies: written?.['trusted-proxies'] ?? [],
  }
}

function ftpSettings(written: ConfigFile['ftp'], baseFolder: string): Omit<FtpConfig, keyof ServiceConfig> {
  const { 'passive-ports': passivePorts, 'public-address': publicAddress, tls } = written ?? {}
  return defined({
    passivePorts,
    publicAddress,
    tls: tls && { certificate: resolve(baseFolder, tls.certificate), key: resolve(baseFolder, tls.key) },
  })
}

function importSettings(written: ConfigFile['import']): ImportConfig {
  const gibibytes = written?.['max-unpacked']
  return defined({
    maxUnpackedBytes: gibibytes === undefined ? undefined : gibibytes * 2 ** 30,
    archives: written?.archives && defined(written.archives),
  })
}

function dhcpSettings(written: ConfigFile['dhcp'], common: ServiceConfig): DhcpConfig {
  const mode = written?.mode ?? 'off'
  return {
    ...common,
    enabled: common.enabled && mode !== 'off',
    mode: common.enabled ? mode : 'off',
    interfaces: written?.interfaces ?? [],
    knownOnly: written?.['known-only'] ?? false,
    loader: written?.loader ?? 'auto',
  }
}

function limitsOf(written: ConfigFile['limits']): Config['limits'] {
  const mebibytes = written?.['min-free']
  return defined({ minFree: mebibytes === undefined ? undefined : mebibytes * 2 ** 20 })
}

function verifySettings(written: ConfigFile['verify'], baseFolder: string): Config['verify'] {
  const { keys = [], 'require-signature': requireSignature = false, 'boot-test': test } = written ?? {}
  const bootTest = test && {
    firmware: test.firmware ?? (['bios', 'uefi-x64', 'secure-boot'] as const),
    reach: test.reach ?? 'auto',
    required: test.required ?? true,
    timeoutMs: test.timeout ?? 'auto',
  }
  return { keys: keys.map((key) => resolve(baseFolder, key)), requireSignature, ...defined({ bootTest }) }
}

function accessSettings(written: ConfigFile['access'], baseFolder: string): AccessConfig {
  const { idle: idleMs = 30 * 60_000, max: maxMs = 12 * 3_600_000 } = written?.session ?? {}
  const { anonymous = 'none', metrics = [] } = written ?? {}
  const oidc = written?.oidc && oidcSettings(written.oidc, baseFolder)
  return { anonymous, session: { idleMs, maxMs }, metrics, ...defined({ oidc }) }
}

function fillDefaults(file: ConfigFile, path: string, baseFolder: string): Config {
  const bind = file.server?.bind ?? '::'
  const common = commonSettings(file, bind)
  const folder = (written: string | undefined, defaultName: string) =>
    resolve(baseFolder, written ?? defaultName)
  const trees = folder(file.paths?.trees, 'trees')
  return {
    file: path,
    server: {
      bind,
      ...defined({ url: file.server?.url }),
      names: file.server?.names ?? [],
      stopGraceMs: file.server?.['stop-grace'] ?? 60_000,
    },
    access: accessSettings(file.access, baseFolder),
    ...common,
    http: httpSettings(file.http, common.http),
    ftp: { ...common.ftp, ...ftpSettings(file.ftp, baseFolder) },
    dhcp: dhcpSettings(file.dhcp, common.dhcp),
    paths: {
      trees,
      tftpboot: folder(file.paths?.tftpboot, 'tftpboot'),
      templates: folder(file.paths?.templates, 'kickstart-templates'),
      data: folder(file.paths?.data, 'data'),
    },
    limits: limitsOf(file.limits),
    reports: defined({ requireToken: file.reports?.['require-token'] }),
    boots: { keepMs: file.boots?.keep ?? 90 * 86_400_000 },
    state: {
      witness: (file.state?.witness ?? [join(trees, defaultWitness)]).map((path) =>
        resolve(baseFolder, path),
      ),
    },
    webhooks: (file.webhooks ?? []).map((each) => webhookSettings(each, baseFolder)),
    mirrors: Object.entries(file.mirrors ?? {}).map(
      ([id, { url, schedule, 'boot-only': bootOnly = false }]) =>
        defined({ id, urls: url, schedule, bootOnly }),
    ),
    import: importSettings(file.import),
    imports: { allow: file.imports?.allow ?? [] },
    verify: verifySettings(file.verify, baseFolder),
    unknown: file.unknown ?? 'menu',
    menuTimeoutMs: (file['menu-timeout'] ?? 30) * 1000,
  }
}

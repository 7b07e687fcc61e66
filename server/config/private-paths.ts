import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isInside } from '../host/paths.ts'
import { definitionFolders } from './definition-files.ts'
import { type ProblemList, showPath } from './problems.ts'
import type { Config } from './schema.ts'
import type { YamlPath, YamlText } from './yaml.ts'

/** Every file in these folders is served to anyone. */
const publicFolders = ['trees', 'tftpboot'] as const

/** A file or folder that no client may see, and the key of the configuration that a problem names. */
interface PrivatePath {
  readonly path: string
  /** Undefined for what has no key of its own, such as `config.yaml` itself: the public folder is named. */
  readonly key?: YamlPath
  readonly what: string
}

/**
 * Reports what is private and lies in a public folder: templates and guests have password hashes, the data folder
 * has tokens. Here the paths are compared as they are written; `checkRealPaths` sees through links.
 */
export function checkPaths(config: Config, text: YamlText, problems: ProblemList): void {
  checkWitness(config, text, problems)
  for (const secret of privatePaths(config))
    for (const folder of publicFolders)
      if (isInside(config.paths[folder], secret.path))
        report({ secret, folder, shown: config.paths[folder] }, text, problems)
}

/**
 * The same for the real paths: `trees` may be a symlink to a folder above the data folder. A bind mount gives a
 * folder a second real path, so the folders above a private one are compared by device and inode, too.
 */
export async function checkRealPaths(config: Config, text: YamlText, problems: ProblemList): Promise<void> {
  for (const folder of publicFolders) {
    const shown = config.paths[folder]
    const real = await realPathOf(shown)
    const identity = await identityOf(real)
    for (const secret of privatePaths(config)) {
      if (isInside(shown, secret.path)) continue
      const realSecret = await realPathOf(secret.path)
      if (isInside(real, realSecret) || (identity && (await hasAbove(realSecret, identity))))
        report(
          { secret, folder, shown: real === shown ? shown : `${shown}, which is ${real}` },
          text,
          problems,
        )
    }
  }
}

/**
 * A witness in the data folder would be lost together with the store. Where the trees are in the data folder, the
 * default is such a witness: that is a warning, because the operator has not chosen it.
 */
function checkWitness({ paths, state }: Config, text: YamlText, problems: ProblemList): void {
  for (const file of state.witness) {
    if (!isInside(paths.data, file)) continue
    const isDefault = isInside(paths.trees, file)
    const path = isDefault ? ['paths', 'trees'] : ['state', 'witness']
    problems.add(
      isDefault ? 'warning' : 'error',
      text.position(path, 'value'),
      `${showPath(path)}: the witness of the store is ${file}, inside paths.data (${paths.data}), with which it would be lost`,
      'set state.witness to a file elsewhere, best on another disk',
    )
  }
}

function privatePaths({ paths, file, ftp, access }: Config): readonly PrivatePath[] {
  const beside =
    file === undefined ? [] : [file, ...definitionFolders.map((folder) => join(dirname(file), folder))]
  const secret = access.oidc?.clientSecretFile
  return [
    { path: paths.templates, key: ['paths', 'templates'], what: paths.templates },
    { path: paths.data, key: ['paths', 'data'], what: paths.data },
    ...(ftp.tls ? [{ path: ftp.tls.key, key: ['ftp', 'tls', 'key'], what: ftp.tls.key }] : []),
    ...(secret ? [{ path: secret, key: ['access', 'oidc', 'client-secret-file'], what: secret }] : []),
    ...beside.map((path) => ({ path, what: `the configuration ${path}` })),
  ]
}

interface Exposed {
  readonly secret: PrivatePath
  readonly folder: (typeof publicFolders)[number]
  readonly shown: string
}

function report({ secret, folder, shown }: Exposed, text: YamlText, problems: ProblemList): void {
  const publicKey = ['paths', folder]
  const path = secret.key ?? publicKey
  const message = secret.key
    ? `found ${secret.what}, inside ${showPath(publicKey)} (${shown}), whose files are served to anyone`
    : `found ${shown}, whose files are served to anyone, and ${secret.what} is inside it`
  const remedy = secret.key ? 'choose a folder outside it' : 'choose a folder that holds nothing else'
  problems.add('error', text.position(path, 'value'), `${showPath(path)}: ${message}`, remedy)
}

/** The real path of a file or folder, also of one that is not there yet. */
async function realPathOf(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined)
  if (real !== undefined || dirname(path) === path) return real ?? path
  return join(await realPathOf(dirname(path)), basename(path))
}

async function identityOf(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined)
  return stats && `${stats.dev} ${stats.ino}`
}

/** Whether a path, or a folder above it, is this file or folder. */
async function hasAbove(path: string, identity: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    if ((await identityOf(at)) === identity) return true
    if (dirname(at) === at) return false
  }
}

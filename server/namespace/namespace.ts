import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { hostLoaderFolder, type LoaderFile, treeLoaderFolder } from '../core/loader/files.ts'
import { type DiskOptions, diskSource } from '../files/disk.ts'
import { withoutFolder } from '../files/hidden.ts'
import { cleanPath, rootPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import { bootInputs } from '../machines/decide.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { answerFilesSource } from './answer-files.ts'
import { type AnswerCall, Answers, installFacts } from './answers.ts'
import type { AutoOfferParts } from './auto-offer.ts'
import { bootConfigMounts } from './boot-configs.ts'
import { GuestChecks } from './guest-checks.ts'
import { handWrittenSource } from './hand-written.ts'
import { hostLoadersSource, treeLoadersSource } from './host-loaders.ts'
import { type Mount, mountTable } from './mounts.ts'
import { treesSource } from './trees.ts'

export interface NamespaceParts {
  readonly snapshot: () => Snapshot
  /** The services that are open now, for the URLs in generated files. */
  readonly services: () => OpenServices
  readonly answers: Answers
  readonly machines: BootMachines
  /** Makes guests of unknown machines. Absent: none are made. */
  readonly autoGuests?: AutoOfferParts['autoGuests']
  /** The loaders of the host's packages, for tests. Default: all that are known. */
  readonly hostLoaders?: readonly LoaderFile[]
}

export interface AnswersParts extends Pick<NamespaceParts, 'services' | 'machines'> {
  readonly renderer: TemplateRenderer
  /** Called when something in an answer file looks wrong although it rendered. */
  readonly onWarnings?: (guest: Guest, warnings: readonly string[]) => void
  /** See `GuestChecksOptions`. */
  readonly mostOfOneTemplate?: number
}

/** The answer files of all guests, for the namespace and for all who plan; and what is known of each. */
export function createAnswers({ services, machines, mostOfOneTemplate, ...options }: AnswersParts): {
  readonly answers: Answers
  readonly guestChecks: GuestChecks
} {
  const answers = new Answers({ ...options, facts: installFacts(services, machines) })
  const inputs = ({ who, snapshot }: AnswerCall): BootInputs =>
    bootInputs({ snapshot, services: services(), who, machines })
  return { answers, guestChecks: new GuestChecks({ answers, inputs, ...defined({ mostOfOneTemplate }) }) }
}

/** The whole namespace: every service serves exactly these files. */
export function createNamespace(parts: NamespaceParts): FileSource {
  return mountTable(namespaceMounts(parts))
}

/** The namespace as a table: for a path the first row that has it wins. */
export function namespaceMounts(parts: NamespaceParts): readonly Mount[] {
  const { snapshot, machines } = parts
  const folder = (): string => snapshot().config.paths.trees
  // `ownFolder` of versions/layout.ts, which this room may not import: the versions of trees, and what is being
  // fetched or uploaded.
  const disk = withoutFolder(folderSetting(folder, { showLinks: true }), cleanPath('/.treeboot'))
  const trees = treesSource({ snapshot, disk, folder, machines })
  return [
    {
      at: cleanPath('/trees'),
      source: trees,
      why: 'the installation trees, in folders and ISO images; not what is still being fetched or uploaded',
    },
    {
      at: cleanPath('/ks'),
      source: answerFilesSource(parts),
      why: 'answer files, rendered for each guest',
    },
    {
      at: rootPath,
      source: handWrittenSource(
        folderSetting(() => snapshot().config.paths.tftpboot),
        () => snapshot().guests,
      ),
      why: "the operator's own boot files: before the generated ones, so that they win",
    },
    {
      at: rootPath,
      source: hostLoadersSource(parts.hostLoaders),
      why: "boot loaders from the host's own packages, each under a fixed name",
    },
    {
      at: cleanPath(hostLoaderFolder),
      source: hostLoadersSource(parts.hostLoaders),
      why: "boot loaders from the host's own packages alone, for loader-from: host",
    },
    {
      at: cleanPath(treeLoaderFolder),
      source: treeLoadersSource(snapshot, trees),
      why: 'the signed loaders of each tree; before /boot, because a guest may have any name',
    },
    ...bootConfigMounts(parts),
  ]
}

/** A folder on disk whose path is a setting. A new source is made only when the setting changes. */
function folderSetting(setting: () => string, options: DiskOptions = {}): FileSource {
  let cached: { folder: string; source: FileSource } | undefined
  const current = (): FileSource => {
    const folder = setting()
    if (cached?.folder !== folder) cached = { folder, source: diskSource(folder, options) }
    return cached.source
  }
  return {
    stat: (path, who) => current().stat(path, who),
    list: (path, who) => current().list(path, who),
  }
}

import type { Snapshot } from '../catalog/snapshot.ts'
import { planGuest } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { Failure } from '../core/failure.ts'
import type { Guest, GuestFacts } from '../core/guest/guest.ts'
import type { Requester } from '../core/net/requester.ts'
import { diskSource } from '../files/disk.ts'
import { withoutFolder } from '../files/hidden.ts'
import { type CleanPath, cleanPath, rootPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { bootInputs } from '../machines/decide.ts'
import type { GuestMemory } from '../machines/machines.ts'
import { TreeViews } from '../machines/views.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { answersSource, type InstallFacts } from './answer-files.ts'
import { type LoaderDecision, loaderMounts } from './boot-configs.ts'
import { handWrittenSource } from './hand-written.ts'
import { hostLoadersSource, treeLoadersSource } from './host-loaders.ts'
import { type Mount, mountTable } from './mounts.ts'
import { treesSource } from './trees.ts'

export interface NamespaceParts {
  readonly snapshot: () => Snapshot
  /** Which services are open, for the URLs that generated files carry. */
  readonly services: () => OpenServices
  readonly renderer: TemplateRenderer
  /** Something in an answer file looks wrong although it rendered. */
  readonly onWarnings: (guest: Guest, warnings: readonly string[]) => void
  /** A machine asked what to boot and was told. */
  readonly decided?: (decision: LoaderDecision) => void
  /** What happened to the guests; without it every guest is new. */
  readonly memory?: GuestMemory
  /** Which version of a published tree each client sees. */
  readonly views?: TreeViews
  /** A machine was given a boot configuration that the operator has written by hand. */
  readonly handWritten?: (path: CleanPath, who: Requester, facts: GuestFacts) => void
  /** The UUID that belongs to a MAC, where a machine has said both. */
  readonly uuidOf?: (mac: string) => string | undefined
}

/** The whole namespace: one table, read from top to bottom. Every service carries exactly this. */
export function createNamespace(parts: NamespaceParts): FileSource {
  return mountTable(namespaceMounts(parts))
}

export function namespaceMounts(parts: NamespaceParts): readonly Mount[] {
  const { snapshot, services, memory, views = new TreeViews({ bound: () => undefined }) } = parts
  /**
   * A guest whose tree is not to be had (still copied, still verified, broken) gets no answer file either: 503 with the
   * reason, which installers ask again for. One that names no tree may have a template that needs none.
   */
  const facts = (guest: Guest, who: Requester, now: Snapshot): InstallFacts | Failure => {
    const inputs = bootInputs(now, services(), who, memory?.stateOf, views)
    const token = memory?.reportToken(guest.name)
    const common = { urls: inputs.urls, ...(token !== undefined && { token }) }
    if (guest.settings.tree === undefined) return common
    const plan = planGuest(guest, {}, inputs)
    return plan.kind === 'install' ? { ...common, tree: plan.tree } : new Failure('unavailable', plan.why)
  }
  const folder = (): string => snapshot().config.paths.trees
  const disk = withoutFolder(followed(folder), cleanPath('/.treeboot'))
  const trees = treesSource({ snapshot, disk, folder, views })
  return [
    {
      at: cleanPath('/trees'),
      source: trees,
      why: 'the installation trees, in folders and ISO images; not what is still being fetched or uploaded',
    },
    {
      at: cleanPath('/ks'),
      source: answersSource({ ...parts, facts }),
      why: 'answer files, rendered for each guest',
    },
    {
      at: rootPath,
      source: handWrittenSource(
        followed(() => snapshot().config.paths.tftpboot),
        (path, who, facts) => parts.handWritten?.(path, who, facts),
      ),
      why: "the operator's own boot files: before the generated ones, so that they win",
    },
    {
      at: rootPath,
      source: hostLoadersSource(),
      why: "boot loaders from the host's own packages, under one name each",
    },
    {
      at: cleanPath('/boot/loader'),
      source: treeLoadersSource(snapshot, trees),
      why: 'the signed chain that each tree brings along; before /boot, which has guests of any name',
    },
    ...loaderMounts({ ...parts, views }),
  ]
}

/** A folder on disk whose place is a setting: another source when the setting changes, and not before. */
function followed(setting: () => string): FileSource {
  let made: { folder: string; source: FileSource } | undefined
  const current = (): FileSource => {
    const folder = setting()
    if (made?.folder !== folder) made = { folder, source: diskSource(folder) }
    return made.source
  }
  return {
    stat: (path, who) => current().stat(path, who),
    list: (path, who) => current().list(path, who),
  }
}

import type { Snapshot } from '../catalog/snapshot.ts'
import type { ServerUrls } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { answerContext } from '../core/kickstart/context.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { generatedSource } from '../files/generated.ts'
import type { CleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { lru } from '../host/lru.ts'
import type { BootMachines } from '../machines/machines.ts'
import { renderInstallSource, renderRepoLines } from '../render/kickstart.ts'
import type { TemplateProblem } from '../templates/problem.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'

/**
 * What a template may use besides the guest's own settings: the tree, the URLs by which the guest reaches us,
 * the token.
 */
export interface InstallFacts {
  /** The tree to install. Absent for a guest without `tree:`; a template that uses it then fails. */
  readonly tree?: Tree
  readonly urls: ServerUrls
  /** The token that the report URLs carry. */
  readonly token?: string
}

export interface AnswerFileOptions {
  readonly snapshot: () => Snapshot
  readonly renderer: TemplateRenderer
  /** What the guest's template may use, or a Failure that says why the guest gets no answer file now. */
  readonly facts: (guest: Guest, who: Requester, snapshot: Snapshot) => InstallFacts | Failure
  readonly machines: Pick<BootMachines, 'fresh' | 'claimAnswerFile'>
  /** Called once for each newly rendered text that looks wrong although its template rendered. */
  readonly onWarnings?: (guest: Guest, warnings: readonly string[]) => void
}

export interface RenderedAnswerFile {
  readonly text: string
  /** The template's name. */
  readonly template: string
  /** What the template engine noticed. */
  readonly warnings: readonly TemplateProblem[]
  /** What is wrong with the guest's variables, for example one that a built-in name hides. */
  readonly problems: readonly string[]
}

/** How many rendered texts are kept, so that a guest's HEAD, GET and retry cost one rendering. */
const keptAnswerFiles = 500

/**
 * The answer files, to be mounted at `/ks`:
 *
 *     /ks/<guest>                 its kickstart, preseed, AutoYaST profile, ...
 *     /ks                         the same, for the machine that asks: by MAC, UUID, serial or address
 *     /ks/<guest>/user-data       the same, as cloud-init's NoCloud asks for it (for Ubuntu's autoinstall)
 *     /ks/<guest>/meta-data       instance-id and host name
 *     /ks/<guest>/vendor-data, /ks/<guest>/network-config
 *                                 empty: cloud-init asks ten times, a second apart, for what is missing
 *
 * A guest without a template has no answer file. When a template fails, `stat` rejects with a Failure; a
 * client never gets half a file.
 */
export function answerFilesSource(options: AnswerFileOptions): FileSource {
  const render = cachedAnswerFiles(options)
  return generatedSource({
    paths: () =>
      options
        .snapshot()
        .guests.all.filter((guest) => guest.settings.template !== undefined)
        .map((guest) => `/${guest.name}`),
    async text(path, who) {
      await options.machines.fresh()
      const snapshot = options.snapshot()
      const asked = askedFor(path, who, snapshot)
      if (!asked || asked.guest.settings.template === undefined) return undefined
      if (asked.file === 'meta-data') return { text: metaData(asked.guest) }
      if (asked.file === 'vendor-data' || asked.file === 'network-config') return { text: '' }
      const { text } = await render(asked.guest, who, snapshot)
      return { text, claim: () => options.machines.claimAnswerFile(asked.guest, who) }
    },
  })
}

/** The files that cloud-init's NoCloud asks for below the URL that it was given. */
const seedFiles: readonly string[] = ['user-data', 'meta-data', 'vendor-data', 'network-config']

/** The guest and the file that a path below `/ks` means for this requester. */
function askedFor(
  path: CleanPath,
  who: Requester,
  snapshot: Snapshot,
): { guest: Guest; file?: string } | undefined {
  const [name = '', file, ...more] = path.slice(1).split('/')
  if (more.length > 0 || (file !== undefined && !seedFiles.includes(file))) return undefined
  const guest = name === '' ? whoAsks(who, snapshot) : snapshot.guests.byName(name)
  return guest && { guest, ...(file !== undefined && { file }) }
}

/**
 * The guest whose machine asks for `/ks` itself. By FTP and NFS `/ks` is always a folder, because those
 * clients enter or mount it on their way to a guest's file.
 */
function whoAsks(who: Requester, snapshot: Snapshot): Guest | undefined {
  if (who.protocol === 'ftp' || who.protocol === 'nfs') return undefined
  return snapshot.guests.match({
    ...(who.macs && { macs: who.macs }),
    ...(who.uuid !== undefined && { uuid: who.uuid }),
    ...(who.serial !== undefined && { serial: who.serial }),
    ip: who.address,
  })?.guest
}

/**
 * The file `meta-data`, which is YAML. A JSON string in double quotes is a YAML string with the same meaning.
 */
function metaData(guest: Guest): string {
  const hostname = guest.settings.vars.hostname?.value
  const shown = typeof hostname === 'string' ? hostname : guest.name
  return `instance-id: ${JSON.stringify(guest.name)}\nlocal-hostname: ${JSON.stringify(shown)}\n`
}

/**
 * Renders a guest's answer file, exactly as the guest would get it, but always anew.
 *
 * @throws Failure `not-found` for a guest without a template; `invalid-data` that names template and line;
 *   the Failure that `options.facts` gives.
 */
export async function renderAnswerFile(
  options: AnswerFileOptions,
  guest: Guest,
  who: Requester,
  snapshot: Snapshot = options.snapshot(),
): Promise<RenderedAnswerFile> {
  const facts = options.facts(guest, who, snapshot)
  if (facts instanceof Failure) throw facts
  return renderWith(options.renderer, guest, facts, snapshot)
}

async function renderWith(
  renderer: TemplateRenderer,
  guest: Guest,
  facts: InstallFacts,
  snapshot: Snapshot,
): Promise<RenderedAnswerFile> {
  const name = guest.settings.template?.value
  if (name === undefined)
    throw new Failure('not-found', `guest ${guest.name} has no template, so no answer file`)
  const { context, problems } = answerContext({ guest, ...facts })
  const source = guest.settings.source.value
  if (facts.tree) {
    context.install_source = renderInstallSource(facts.tree, facts.urls, source)
    context.repo_lines = renderRepoLines(facts.tree, facts.urls, source)
  }
  const { text, warnings } = await renderer.render({ name, templates: snapshot.templates, context })
  return { text, template: name, warnings, problems }
}

type CachedRender = (guest: Guest, who: Requester, snapshot: Snapshot) => Promise<RenderedAnswerFile>

/**
 * Renders answer files and keeps the results. The key holds everything that a text depends on: the snapshot,
 * the guest, the tree in the version that the client sees, the URLs by which the guest reaches us, and the token.
 */
function cachedAnswerFiles(options: AnswerFileOptions): CachedRender {
  const cache = lru<string, Promise<RenderedAnswerFile>>(keptAnswerFiles)
  return (guest, who, snapshot) => {
    const facts = options.facts(guest, who, snapshot)
    if (facts instanceof Failure) return Promise.reject(facts)
    const { tree, urls, token } = facts
    const key = JSON.stringify([
      snapshot.generation,
      guest.name,
      tree?.id,
      tree?.release?.version,
      urls,
      token,
    ])
    const cached = cache.get(key)
    if (cached) return cached
    const rendering = renderWith(options.renderer, guest, facts, snapshot)
    cache.set(key, rendering)
    rendering.then(
      (answer) => warn(guest, answer, options.onWarnings),
      () => cache.delete(key),
    )
    return rendering
  }
}

function warn(
  guest: Guest,
  { warnings, problems }: RenderedAnswerFile,
  onWarnings: AnswerFileOptions['onWarnings'],
): void {
  const shown = warnings.map(({ template, line, message }) => `${template}:${line}: ${message}`)
  const lines = [...problems, ...shown]
  if (lines.length > 0) onWarnings?.(guest, lines)
}

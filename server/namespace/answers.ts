import type { Snapshot } from '../catalog/snapshot.ts'
import type { ServerUrls } from '../core/boot/plan.ts'
import { type BootInputs, planGuest } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { answerContext } from '../core/kickstart/context.ts'
import { ownRepository, whyNoPackages } from '../core/kickstart/packages.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { lru } from '../host/lru.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import { bootInputs } from '../machines/decide.ts'
import { renderInstallSource, renderRepoLines } from '../render/kickstart.ts'
import { networkData } from '../render/network/network.ts'
import type { TemplateProblem } from '../templates/problem.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { type StarredAnswerFile, starredAnswer } from './starred-answer.ts'

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

/** One client that asks about one guest, and the snapshot by which it is answered. */
export interface AnswerCall {
  readonly guest: Guest
  readonly who: Requester
  readonly snapshot: Snapshot
}

export interface AnswersOptions {
  readonly renderer: TemplateRenderer
  /** What the guest's template may use, or a Failure that says why the guest gets no answer file now. */
  readonly facts: (guest: Guest, who: Requester, snapshot: Snapshot) => InstallFacts | Failure
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
  /** Why an installer that follows this file cannot install. */
  readonly doomed?: string
}

/** How many rendered texts are kept, so that a guest's boot, HEAD, GET and retry cost one rendering. */
const keptTexts = 500

/**
 * The answer files of all guests: their texts, and whether an installer that asks for one would get one. A boot
 * configuration renders the file that its installer will ask for, so the second question costs nothing later.
 */
export class Answers {
  readonly #options: AnswersOptions
  readonly #kept = lru<string, Promise<RenderedAnswerFile>>(keptTexts)

  constructor(options: AnswersOptions) {
    this.#options = options
  }

  /**
   * The answer file as this client gets it. What was rendered or failed is kept, by all that it depends on: the
   * snapshot, the guest, the tree in the version that the client sees, the URLs by which the guest reaches us, and the
   * token.
   *
   * @throws Failure `not-found` for a guest without a template; `invalid-data` that names template and line; the Failure
   *   that `options.facts` gives.
   */
  async render(call: AnswerCall): Promise<RenderedAnswerFile> {
    const { guest, who, snapshot } = call
    const facts = this.#options.facts(guest, who, snapshot)
    if (facts instanceof Failure) throw facts
    const { tree, urls, token } = facts
    const version = tree?.release?.version
    const key = JSON.stringify([snapshot.generation, guest.name, tree?.id, version, urls, token])
    const kept = this.#kept.get(key)
    if (kept) return kept
    const rendering = this.#renderWith(call, facts)
    this.#kept.set(key, rendering)
    rendering.then(
      (answer) => warn(guest, answer, this.#options.onWarnings),
      (error) => {
        if (failureKind(error) === 'unavailable') this.#kept.delete(key)
      },
    )
    return rendering
  }

  /**
   * Why an installer of this guest would get no answer file that it can use. Undefined for a guest without a template,
   * and while nobody can tell: its tree is not ready, or too many renderings wait.
   */
  async whyNone(call: AnswerCall): Promise<string | undefined> {
    return call.guest.settings.template && (await whyUseless(this.render(call)))?.why
  }

  /** Like `whyNone`, but keeps nothing: for checks of all guests, which would displace the texts that are asked for. */
  async tryOut(call: AnswerCall): Promise<Useless | undefined> {
    const facts = this.#options.facts(call.guest, call.who, call.snapshot)
    return facts instanceof Failure ? undefined : whyUseless(this.#renderWith(call, facts))
  }

  /**
   * The answer file with stars in place of secrets, see `starredAnswer`. Nothing of it is kept.
   *
   * @throws As `render` does.
   */
  async starred(call: AnswerCall): Promise<StarredAnswerFile<RenderedAnswerFile>> {
    const facts = this.#options.facts(call.guest, call.who, call.snapshot)
    if (facts instanceof Failure) throw facts
    return starredAnswer({ guest: call.guest, facts }, (parts) =>
      this.#renderWith({ ...call, guest: parts.guest }, parts.facts),
    )
  }

  /** All values that a guest's answer file is made of, besides the templates. */
  valuesOf({ guest, who, snapshot }: AnswerCall): unknown {
    const facts = this.#options.facts(guest, who, snapshot)
    if (facts instanceof Failure) return [facts.message]
    // With the token, a verdict would be made anew after each installation.
    const { token: _, ...lasting } = facts
    const { repositories, upstream, hasPackages } = lasting.tree ?? {}
    const own = lasting.tree && ownRepository(lasting.tree, guest)
    return [contextOf(guest, lasting).context, lasting.urls, repositories, upstream, hasPackages, own]
  }

  /** The inputs of a decision about this guest, with the reason why it would get no answer file. */
  async inputsFor(inputs: BootInputs, call: AnswerCall): Promise<BootInputs> {
    const why = await this.whyNone(call)
    return why === undefined ? inputs : { ...inputs, whyNoAnswerFile: () => why }
  }

  async #renderWith({ guest, snapshot }: AnswerCall, facts: InstallFacts): Promise<RenderedAnswerFile> {
    const name = guest.settings.template?.value
    if (name === undefined)
      throw new Failure('not-found', `guest ${guest.name} has no template, so no answer file`)
    const { context, problems } = contextOf(guest, facts)
    const source = guest.settings.source.value
    const { tree, urls } = facts
    if (tree) {
      context.install_source = renderInstallSource(tree, urls, source, ownRepository(tree, guest))
      context.repo_lines = renderRepoLines(tree, urls, source)
    }
    const { templates } = snapshot
    const { text, warnings } = await this.#options.renderer.render({ name, templates, context })
    const doomed = tree && whyNoPackages(tree, text)
    return { text, template: name, warnings, problems, ...defined({ doomed }) }
  }
}

/** What a template may use, but for the places of packages. */
function contextOf(guest: Guest, facts: InstallFacts): ReturnType<typeof answerContext> {
  const { context, problems } = answerContext({ guest, ...facts })
  const network = networkData(guest, facts.tree)
  // A guest without `network:` may have a var of that name.
  if (network && (guest.settings.network || context.network === undefined)) context.network = network
  return { context, problems }
}

/** Why an installer would get no answer file that it can use. */
export interface Useless {
  readonly why: string
  /** When the template is tried again although nothing changes; in ms since 1970. */
  readonly againMs?: number
}

async function whyUseless(rendering: Promise<RenderedAnswerFile>): Promise<Useless | undefined> {
  try {
    const { doomed } = await rendering
    return doomed === undefined ? undefined : { why: doomed }
  } catch (error) {
    if (isPassing(error)) return undefined
    const why = `its answer file cannot be made: ${failureMessage(error)}`
    const { againMs } =
      (error instanceof Failure ? (error.cause as TemplateProblem | undefined) : undefined) ?? {}
    return { why, ...defined({ againMs }) }
  }
}

/**
 * Whether nobody can tell now. Of a template that ended the worker somebody can: it has its problem as cause, and its
 * guests boot their disks until it is tried again.
 */
function isPassing(error: unknown): boolean {
  return error instanceof Failure && error.kind === 'unavailable' && error.cause === undefined
}

function warn(
  guest: Guest,
  { warnings, problems }: RenderedAnswerFile,
  onWarnings: AnswersOptions['onWarnings'],
): void {
  const shown = warnings.map(({ template, line, message }) => `${template}:${line}: ${message}`)
  const lines = [...problems, ...shown]
  if (lines.length > 0) onWarnings?.(guest, lines)
}

/**
 * Makes the function that gathers what a guest's template may use. While a guest's tree is not ready (still
 * copied, still verified, broken), it gives a Failure: the answer file is 503 with the reason, and installers
 * ask again. A guest without `tree:` may have a template that needs no tree.
 */
export function installFacts(
  services: () => OpenServices,
  machines: Pick<BootMachines, 'stateOf' | 'versionsOf' | 'whyNotWritable' | 'reportToken'>,
): AnswersOptions['facts'] {
  return (guest, who, snapshot) => {
    const inputs = bootInputs({ snapshot, services: services(), who, machines })
    const common = { urls: inputs.urls, ...defined({ token: machines.reportToken(guest.name) }) }
    if (guest.settings.tree === undefined) return common
    // A request for an answer file tells neither virtualization nor architecture of the machine.
    const plan = planGuest(guest, {}, inputs)
    return plan.kind === 'install'
      ? { ...common, tree: plan.tree }
      : new Failure('unavailable', plan.why, { forClient: true })
  }
}

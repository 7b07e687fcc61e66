import { Environment } from 'minijinja-js/dist/web/minijinja_js.js'
import { methods, translateCalls } from './calls.ts'
import { absentTemplate, engineProblem, failedInclude, tooMuchWork } from './engine-error.ts'
import { callOf, siteOf } from './filters/call.ts'
import type { Filter } from './filters/filter.ts'
import { markedFilterNames, markedFilters } from './filters/table.ts'
import { ownTestNames, ownTests } from './filters/tests.ts'
import type { EngineLimits } from './message.ts'
import type { TemplateProblem } from './problem.ts'
import { makeStrict, type Site, type Spelling, undefinedFilter } from './strict.ts'

/** What comes of the guest's own keys or of its tree has a name that no var can have: `vars.guest` would never be read. */
function whereToSet(name: string): string {
  if (/^(?:tree(?:\..*)?|install_source|base_repo|repo_lines)$/.test(name))
    return 'only a guest with a tree that tells it has this: see tree of the guest or its profile'
  if (name === 'guest.ip') return 'set ip (or network) of the guest'
  const key = /^guest\.(mac|uuid|serial)$/.exec(name)?.[1]
  return key === undefined ? 'set it in vars of the guest or its profile' : `set ${key} of the guest`
}

export type Rendering = { readonly text: string } | { readonly problem: TemplateProblem }

/**
 * A set of parsed templates that can be rendered. Runs inside the worker; `startEngine` must be called first.
 *
 * The engine panics when a filter throws into WebAssembly, so our filters catch their errors. The first error
 * is kept here, and the filter returns none. That error is the result of the rendering, even if the engine
 * then ended without an error.
 */
export class Engine {
  readonly #templates: ReadonlyMap<string, string>
  readonly #fuel: number
  readonly #hashingMs: number
  readonly #fast: Environment
  /** The environment with the spelling `explain`, made at the first failure. */
  #explaining: Environment | undefined
  readonly #sites: Site[] = []
  readonly #broken: Map<string, TemplateProblem>
  /** The first error of a filter, or the first undefined variable, in this rendering. */
  #firstError: TemplateProblem | undefined
  #seed = ''
  /** When the filters that take long give up. */
  #deadlineMs = 0
  /** The template that is being rendered, for a problem without a site. */
  #rendering = ''

  /**
   * @param refused templates that must not be parsed, and why
   * @param progress is called with the index of each template before it is parsed
   * @throws EnginePanic
   */
  constructor(
    templates: ReadonlyMap<string, string>,
    refused: ReadonlyMap<string, TemplateProblem>,
    { fuel, hashingMs }: EngineLimits,
    progress: (index: number) => void,
  ) {
    this.#templates = templates
    this.#fuel = fuel
    this.#hashingMs = hashingMs
    this.#broken = new Map(refused)
    this.#fast = this.#newEnvironment()
    let index = 0
    for (const [name, source] of templates) {
      progress(index++)
      if (!this.#broken.has(name)) this.#add(name, source)
    }
  }

  /** All templates that cannot be used. */
  get broken(): readonly TemplateProblem[] {
    return [...this.#broken.values()]
  }

  free(): void {
    this.#fast.free()
    this.#explaining?.free()
  }

  /** @throws EnginePanic */
  render(name: string, context: Record<string, unknown>): Rendering {
    if (!this.#templates.has(name)) return { problem: this.#missing(name) }
    this.#seed = seedOf(context)
    this.#deadlineMs = performance.now() + this.#hashingMs
    const result = this.#attempt(this.#fast, name, context)
    if ('text' in result || result.problem.message === tooMuchWork) return result
    const explained = this.#attempt(this.#explainer(), name, context)
    if ('text' in explained) return result
    // An error of a filter or an undefined variable names its own template: nothing is hidden by an include.
    if (this.#firstError) return explained
    return { problem: this.#insideIncludes(explained.problem, name, context) }
  }

  /** The engine hides the error inside a snippet. We render the snippet by itself to get that error. */
  #insideIncludes(outer: TemplateProblem, name: string, context: Record<string, unknown>): TemplateProblem {
    let problem = outer
    const path = [name]
    for (;;) {
      const inner = failedInclude(problem)
      if (inner === undefined) return path.length > 1 ? includedBy(problem, path.at(-2)) : problem
      if (path.includes(inner)) return circle(problem, [...path.slice(path.indexOf(inner)), inner])
      const result = this.#attempt(this.#fast, inner, context)
      // An undefined variable here is one that the outer template sets: not the error that we look for.
      if ('text' in result || this.#firstError)
        return {
          ...problem,
          message: `${inner} fails when it is included here${'text' in result ? ', and renders by itself' : ''}`,
          remedy: `check the values that it uses and that ${path.at(-1)} sets`,
        }
      problem = result.problem
      path.push(inner)
    }
  }

  #attempt(environment: Environment, name: string, context: Record<string, unknown>): Rendering {
    this.#firstError = undefined
    const broken = this.#broken.get(name)
    if (broken) return { problem: broken }
    this.#rendering = name
    try {
      const text = environment.renderTemplate(name, context)
      return this.#firstError ? { problem: this.#firstError } : { text }
    } catch (error) {
      const problem = engineProblem(error, name)
      return { problem: this.#firstError ?? this.#explainAbsent(problem) }
    }
  }

  #explainAbsent(problem: TemplateProblem): TemplateProblem {
    const absent = absentTemplate(problem)
    if (absent === undefined) return problem
    const broken = this.#broken.get(absent)
    if (broken) return includedBy(broken, problem.template)
    return { ...problem, message: `the template ${absent} to include does not exist`, remedy: this.#names() }
  }

  #newEnvironment(): Environment {
    const environment = new Environment()
    environment.undefinedBehavior = 'strict'
    // As in the template module of Ansible, a line with only a tag leaves no empty line in the output; here also
    // when the tag is indented (`lstripBlocks`).
    environment.trimBlocks = true
    environment.lstripBlocks = true
    environment.keepTrailingNewline = true
    environment.fuel = this.#fuel
    environment.enablePyCompat()
    environment.addFilter(undefinedFilter, (site: unknown) => this.#noteUndefined(site))
    for (const [name, filter] of Object.entries(markedFilters))
      environment.addFilter(name, (...values: unknown[]) => this.#filter(shownName(name), filter, values))
    for (const [name, test] of Object.entries(ownTests))
      environment.addTest(name, (...values: unknown[]) => this.#filter(`test ${name}`, test, values) === true)
    return environment
  }

  #add(name: string, text: string): void {
    const { source, problem } = translateCalls(name, text)
    if (problem) {
      this.#broken.set(name, problem)
      return
    }
    try {
      // The engine parses the text without our checks first, so that a syntax error refers to that text.
      this.#fast.addTemplate(name, source)
    } catch (error) {
      this.#broken.set(name, engineProblem(error, name))
      return
    }
    try {
      this.#fast.addTemplate(name, this.#strict(name, source, 'fast'))
    } catch (error) {
      this.#broken.set(name, tooUnusual(engineProblem(error, name)))
    }
  }

  #explainer(): Environment {
    if (this.#explaining) return this.#explaining
    const environment = this.#newEnvironment()
    this.#explaining = environment
    for (const [name, source] of this.#templates) {
      if (this.#broken.has(name)) continue
      const translated = translateCalls(name, source).source
      try {
        environment.addTemplate(name, this.#strict(name, translated, 'explain'))
      } catch (error) {
        engineProblem(error, name) // throws when the engine itself failed
        // The longer spelling does not parse: errors of this template are less clear.
        environment.addTemplate(name, this.#strict(name, translated, 'fast'))
      }
    }
    return environment
  }

  #strict(name: string, source: string, spelling: Spelling): string {
    return withoutEscaping(
      makeStrict(name, source, {
        ownFilters: markedFilterNames,
        ownTests: ownTestNames,
        sites: this.#sites,
        spelling,
      }),
    )
  }

  #noteUndefined(index: unknown): undefined {
    const site = this.#sites[Number(index)]
    if (!site) return undefined
    this.#firstError ??= {
      template: site.template,
      line: site.line,
      severity: 'error',
      message: `the variable ${site.name} is not defined`,
      remedy: `${whereToSet(site.name)}, or write {{ ${site.name} | default('...') }}`,
    }
    return undefined
  }

  #filter(name: string, filter: Filter, raw: readonly unknown[]): unknown {
    try {
      return filter.run(callOf(filter, raw, { seed: this.#seed, deadlineMs: this.#deadlineMs }))
    } catch (error) {
      const site = this.#sites[siteOf(raw) ?? -1]
      this.#firstError ??= {
        template: site?.template ?? this.#rendering,
        line: site?.line ?? 1,
        severity: 'error',
        message: `${name}: ${error instanceof Error ? error.message : String(error)}`,
      }
      return undefined
    }
  }

  #missing(name: string): TemplateProblem {
    const message = 'this template does not exist'
    return { template: name, line: 1, severity: 'error', message, remedy: this.#names() }
  }

  #names(): string {
    const names = [...this.#templates.keys()].sort()
    const more = names.length > 12 ? ', ...' : ''
    if (names.length === 0) return 'the templates folder is empty'
    return `the templates are ${names.slice(0, 12).join(', ')}${more}`
  }
}

/**
 * Turns escaping off. The engine escapes by file name: HTML for `.xml`, JSON for `.yaml`. People who know
 * Jinja from Ansible and Cobbler expect text without escapes. The added tags are on the first and last line,
 * so that line numbers stay the same. A template with `extends` gets none: its output is that of its base
 * template, which the engine writes after the end tag.
 */
function withoutEscaping(source: string): string {
  if (/\{%[-+]?\s*extends\b/.test(source)) return source
  return `{%+ autoescape false +%}${source}{%+ endautoescape +%}`
}

function includedBy(problem: TemplateProblem, outer: string | undefined): TemplateProblem {
  return { ...problem, message: `${problem.message} (included by ${outer})` }
}

function circle(problem: TemplateProblem, path: readonly string[]): TemplateProblem {
  return {
    ...problem,
    message: `templates include each other in a circle: ${path.join(' -> ')}`,
    remedy: 'remove one of these includes',
  }
}

function tooUnusual(problem: TemplateProblem): TemplateProblem {
  return {
    ...problem,
    message: `${problem.message}, in an expression too unusual to check for undefined variables`,
    remedy: 'write it in two steps with {% set %}',
  }
}

/** How a message names a filter that calls.ts wrote. */
function shownName(name: string): string {
  if (!name.startsWith('__')) return `filter ${name}`
  return methods.has(name.slice(2)) ? `.${name.slice(2)}()` : `filter ${name.slice(2)}`
}

/** The seed for salts of passwords: the name of the guest, which is the same in each rendering. */
function seedOf(context: Record<string, unknown>): string {
  const guest = context.guest
  if (typeof guest !== 'object' || guest === null || !('name' in guest)) return ''
  return String(guest.name)
}

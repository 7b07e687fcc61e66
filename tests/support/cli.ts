import type { CliIo } from '../../server/cli/output/io.ts'
import { runCli } from '../../server/cli/program.ts'
import type { TemplateRenderer } from '../../server/templates/renderer.ts'
import { sharedRenderer } from './renderer.ts'

/** The output of a command, and its exit code. */
export interface CliResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command of treeboot in this process, as if it were typed in a folder. */
export function treebootIn(cwd: string, ...args: string[]): Promise<CliResult> {
  return treebootWith(sharedRenderer, cwd, ...args)
}

/** The same with another renderer of templates. */
export function treebootWith(renderer: TemplateRenderer, cwd: string, ...args: string[]): Promise<CliResult> {
  return treebootAt(cwd, args, { renderer })
}

interface Surroundings extends Partial<Pick<CliIo, 'environment' | 'configFolder' | 'renderer' | 'color'>> {
  /** What a person at the terminal types to each question. Default: nobody is there. */
  readonly typed?: readonly string[]
}

/** The same in other surroundings. */
export function treebootAt(
  cwd: string,
  args: readonly string[],
  surroundings: Surroundings = {},
): Promise<CliResult> {
  return runningTreeboot(cwd, args, surroundings).end
}

/** A command that does not end by itself: what it has said so far, and its end. */
export function runningTreeboot(
  cwd: string,
  args: readonly string[],
  surroundings: Surroundings = {},
): { readonly said: Pick<CliResult, 'out' | 'err'>; readonly end: Promise<CliResult> } {
  const said = { out: '', err: '' }
  return { said, end: run(said, { cwd, args, ...surroundings }) }
}

async function run(
  said: { out: string; err: string },
  {
    cwd,
    args,
    typed,
    ...surroundings
  }: Surroundings & { readonly cwd: string; readonly args: readonly string[] },
): Promise<CliResult> {
  const left = [...(typed ?? [])]
  const next = async (): Promise<string | undefined> => left.shift()
  const code = await runCli(args, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    ask: async () => undefined,
    ...(typed && { askLine: next, askSecret: next, ask: async () => (await next()) === 'y' }),
    exit: () => {},
    color: false,
    cwd,
    settle: { quietMs: 100 },
    renderer: sharedRenderer,
    ...surroundings,
  })
  return { code, ...said }
}

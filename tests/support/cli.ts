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
export async function treebootWith(
  renderer: TemplateRenderer,
  cwd: string,
  ...args: string[]
): Promise<CliResult> {
  const said = { out: '', err: '' }
  const code = await runCli(args, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    ask: async () => undefined,
    exit: () => {},
    color: false,
    cwd,
    settle: { quietMs: 100 },
    renderer,
  })
  return { code, ...said }
}

import { join, relative } from 'node:path'
import type { Command } from 'commander'
import type { ProblemView } from '../../api/types.ts'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { ConfigError } from '../../config/problems.ts'
import type { Config } from '../../config/schema.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import { stoppedProblem } from '../../definitions/journal.ts'
import { TemplateFolder } from '../../definitions/template-folder.ts'
import { reasonsFor } from '../../definitions/template-reasons.ts'
import { unreadVars } from '../../namespace/unread-vars.ts'
import { whyNoWitness } from '../../store/witness.ts'
import { lintTemplates } from '../../templates/lint.ts'
import type { TemplateRenderer } from '../../templates/renderer.ts'
import { guestProblems } from '../answers.ts'
import { loaderProblems } from '../loader-choice.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
} from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
import { withRenderer } from '../with-renderer.ts'

export function registerCheck(program: Command, io: CliIo): void {
  program
    .command('check')
    .description('list everything that is wrong with configuration, trees and templates')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', exitHelp)
    .action(async (options: CommonOptions & VerifyOption) =>
      tell(await allProblems(options, io), options, io),
    )
  program
    .command('problems')
    .description(
      'the same; with --server: what a running server finds wrong, with what happened since its start',
    )
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', exitHelp)
    .action(async (options: CommonOptions & VerifyOption) => {
      const server = await serverOf(options, io)
      const problems = server ? await server.all('listProblems', {}) : await allProblems(options, io)
      tell(problems, options, io)
    })
}

const exitHelp = '\nExit code 0: nothing is wrong, or there are only warnings; 2: there are errors.'

function tell(problems: readonly ProblemView[], options: CommonOptions, io: CliIo): void {
  if (options.json) io.out(json(problems.map(shownProblem)))
  else io.out(describeProblems(problems))
  if (problems.some((problem) => problem.severity === 'error')) io.exit(exitCodes.badInput)
}

/** The fields that the API shows, too. */
function shownProblem({ severity, where, message, remedy }: ProblemView): ProblemView {
  return defined({ severity, where, message, remedy })
}

async function allProblems(
  options: CommonOptions & VerifyOption,
  io: CliIo,
): Promise<readonly SnapshotProblem[]> {
  try {
    const snapshot = await readSnapshot(options, io)
    const witness = await witnessProblems(snapshot.config)
    const { data } = snapshot.config.paths
    const stopped = await stoppedProblem(data)
    return [
      ...snapshot.problems,
      ...(stopped ? [stopped] : []),
      ...witness,
      ...(await loaderProblems(snapshot)),
      ...unreadVars(snapshot),
      ...(await savedInSpite(snapshot, io.cwd)),
      ...(await withRenderer(io, (renderer) => renderingProblems(snapshot, renderer, io.cwd))),
    ]
  } catch (error) {
    // Without a configuration nothing else can be checked.
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** Without a witness nobody notices that the store was lost, or that an old copy was put back. */
async function witnessProblems({ state, file }: Config): Promise<SnapshotProblem[]> {
  const reasons = await Promise.all(state.witness.map(whyNoWitness))
  return reasons.flatMap((why): SnapshotProblem[] => {
    if (why === undefined) return []
    const message = `the witness of the store cannot be written: ${why}`
    return [
      {
        severity: 'warning',
        where: file ?? 'state.witness',
        message,
        remedy: 'set state.witness to a file that this user may write',
      },
    ]
  })
}

/** Templates that somebody saved although they added a problem, and why. */
async function savedInSpite({ config }: Snapshot, cwd: string): Promise<SnapshotProblem[]> {
  const { data, templates } = config.paths
  const folder = new TemplateFolder(templates, cwd)
  try {
    const reasons = await reasonsFor(data, () => folder.texts())
    return reasons.map(({ name, saved, reason }) => ({
      severity: 'warning',
      where: folder.fileOf(name).where,
      message: `saved at ${saved} in spite of a problem: ${reason}`,
      remedy: 'correct it, or leave this as a note',
    }))
  } catch (error) {
    return [{ severity: 'warning', where: data, message: failureMessage(error) }]
  }
}

/** Problems of the templates, and of the guests that cannot be installed. */
async function renderingProblems(
  snapshot: Snapshot,
  renderer: TemplateRenderer,
  cwd: string,
): Promise<SnapshotProblem[]> {
  const { templates, config } = snapshot
  const found = await lintTemplates(templates, renderer)
  const problems: SnapshotProblem[] = found.map(({ template, line, severity, message, remedy }) => ({
    severity: severity === 'error' ? 'error' : 'warning',
    where: `${relative(cwd, join(config.paths.templates, template))}:${line}`,
    message,
    ...(remedy !== undefined && { remedy }),
  }))
  return [...problems, ...(await guestProblems(snapshot, renderer))]
}

export function describeProblems(problems: readonly ProblemView[]): string {
  if (problems.length === 0) return 'nothing is wrong\n'
  const errors = problems.filter((problem) => problem.severity === 'error').length
  const lines = problems.map(({ severity, where, message, remedy }) => {
    const hint = remedy ? `\n         ${remedy}` : ''
    return `${severity === 'error' ? 'ERROR  ' : 'warning'}  ${where}: ${message}${hint}\n`
  })
  return `${lines.join('')}\n${count(errors, 'error')}, ${count(problems.length - errors, 'warning')}\n`
}

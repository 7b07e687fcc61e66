import { resolve } from 'node:path'
import type { Command } from 'commander'
import { whyUnreadable } from '../../config/problems.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { readFileAtMost } from '../../host/read-at-most.ts'
import { printShown } from '../definition-change.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'
import { type ShownTemplateChange, type Templates, templatesOf } from '../templates.ts'
import { describeProblems } from './check.ts'

interface TemplateOptions extends CommonOptions {
  readonly dryRun?: boolean
  readonly as: string
  readonly reason?: string
  readonly replaceBy?: string
}

export function registerTemplates(program: Command, io: CliIo): void {
  const group = program
    .command('templates')
    .description('list the templates and snippets of answer files, and how many guests have each')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions) => listTemplates(options, io))
  const verb = (name: string, about: string) =>
    group.command(name).description(about).addOption(configOption()).addOption(jsonOption())
  const changing = (name: string, about: string) =>
    verb(name, about).option('--dry-run', 'show what would change, and change nothing')
  group
    .command('list')
    .description('the same')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((_: unknown, command: Command) => listTemplates(command.optsWithGlobals(), io))
  verb('show', 'print a template as it is written')
    .argument('<template>', 'its path below the templates folder')
    .action((name: string, _: unknown, command: Command) => showTemplate(name, command.optsWithGlobals(), io))
  changing('save', 'make or change a template, unless that adds a problem')
    .argument('<file>', 'the file that it becomes a copy of')
    .requiredOption('--as <template>', 'its path below the templates folder, such as snippets/disk')
    .option(
      '--reason <text>',
      'save it although it adds a problem; the text is kept, and "treeboot check" shows it',
    )
    .action((file: string, _: unknown, command: Command) =>
      run(command, io, async (templates, { as, reason, ...options }) => {
        const text = await textIn(resolve(io.cwd, file), file)
        return templates.save(as, text, { ...options, ...defined({ reason }) })
      }),
    )
  changing('rm', 'remove a template that nothing names')
    .argument('<template>', 'its path below the templates folder')
    .option('--replace-by <other>', 'write another template wherever this one is named')
    .option('--reason <text>', 'do it although the other one adds a problem; the text is kept')
    .action((name: string, _: unknown, command: Command) =>
      run(command, io, (templates, { replaceBy, reason, dryRun }) =>
        templates.remove(name, defined({ dryRun, reason, replaceBy })),
      ),
    )
  changing('rename', 'give a template another name, and write it wherever the template is named')
    .argument('<template>', 'its path below the templates folder')
    .argument('<new-name>', 'its next path')
    .action((name: string, newName: string, _: unknown, command: Command) =>
      run(command, io, (templates, { dryRun }) => templates.rename(name, newName, defined({ dryRun }))),
    )
}

async function run(
  command: Command,
  io: CliIo,
  change: (
    templates: Templates,
    options: Omit<TemplateOptions, keyof CommonOptions>,
  ) => Promise<ShownTemplateChange>,
): Promise<void> {
  // The group has the same options, and commander stores their values there.
  const options = command.optsWithGlobals<TemplateOptions>()
  const { problems, ...made } = await change(await templatesOf(options, io), options)
  const next = { text: describeProblems(problems), data: { problems } }
  printShown(problems.length > 0 ? { ...made, next } : made, options, io)
}

async function listTemplates(options: CommonOptions, io: CliIo): Promise<void> {
  const all = await (await templatesOf(options, io)).list()
  if (options.json) io.out(json(all))
  else if (all.length === 0) io.out('no templates yet: treeboot templates save FILE --as NAME makes one\n')
  else {
    const rows = all.map(({ name, guests: count, readOnly }) => [name, String(count), readOnly ?? '-'])
    io.out(table([['TEMPLATE', 'GUESTS', 'READ-ONLY'], ...rows]))
  }
  if (all.length === 0) io.exit(exitCodes.notFound)
}

async function showTemplate(name: string, options: CommonOptions, io: CliIo): Promise<void> {
  const found = await (await templatesOf(options, io)).read(name)
  if (options.json) return io.out(json(found))
  if (found.text === null) throw new Failure('invalid-data', `${found.file} is no UTF-8 text`)
  io.out(found.text)
}

async function textIn(path: string, shown: string): Promise<string> {
  const { bytes: most } = configurationLimits.templates
  const bytes = await readFileAtMost(path, most).catch((error: NodeJS.ErrnoException) => {
    throw error instanceof Failure
      ? new Failure(error.kind, `${shown} ${error.message}`)
      : new Failure('bad-request', `${shown} ${whyUnreadable(error)}`)
  })
  if (!bytes) throw new Failure('too-large', `${shown} has more than ${most} bytes`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Failure('invalid-data', `${shown} is not UTF-8 text; save it as UTF-8`)
  }
}

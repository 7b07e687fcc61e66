import type { Command } from 'commander'
import { type DefinitionKind, definitionKinds, kindNames } from '../../config/definition-files.ts'
import { configJsonSchema, definitionJsonSchema } from '../../config/file-schema.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'

export function registerConfigSchema(program: Command, io: CliIo): void {
  const command = program
    .command('config-schema')
    .description('print the JSON Schema of config.yaml, which editors use to check the file while you type')
    .addHelpText(
      'after',
      `
For editors with yaml-language-server (VS Code, Neovim, Emacs, Helix, ...):
  treeboot config-schema > config.schema.json
Then make this the first line of config.yaml:
  # yaml-language-server: $schema=./config.schema.json`,
    )
  for (const kind of kindNames)
    command.option(`--${kind}`, `print the schema of a file in ${definitionKinds[kind].folder} instead`)
  command.action((options: Partial<Record<DefinitionKind, boolean>>) => {
    const kind = kindNames.find((each) => options[each])
    io.out(json(kind ? definitionJsonSchema(kind) : configJsonSchema()))
  })
}

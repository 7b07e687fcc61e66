import type { Command } from 'commander'
import { configJsonSchema, guestJsonSchema } from '../../config/file-schema.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'

export function registerConfigSchema(program: Command, io: CliIo): void {
  program
    .command('config-schema')
    .description('print the JSON Schema of config.yaml, which editors use to check the file while you type')
    .option('--guest', 'print the schema of a file in guests.d instead')
    .addHelpText(
      'after',
      `
For editors with yaml-language-server (VS Code, Neovim, Emacs, Helix, ...):
  treeboot config-schema > config.schema.json
Then make this the first line of config.yaml:
  # yaml-language-server: $schema=./config.schema.json`,
    )
    .action((options: { guest?: boolean }) =>
      io.out(json(options.guest ? guestJsonSchema() : configJsonSchema())),
    )
}

import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { type CliIo, exitCodeTexts } from '../output/io.ts'
import { table } from '../output/table.ts'

/** `treeboot help`: a command, or what is true of all commands. */
export function registerHelp(program: Command, io: CliIo): void {
  program.helpCommand(false)
  program
    .command('help')
    .description('explain a command, or the exit codes: help exit-codes')
    .argument('[words...]', 'the words of a command, or exit-codes')
    .action((words: string[]) => {
      if (words.join(' ') === 'exit-codes') return io.out(table(Object.entries(exitCodeTexts)))
      named(program, words).outputHelp()
    })
}

function named(program: Command, words: readonly string[]): Command {
  return words.reduce((group, word) => {
    const found = group.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (!found)
      throw new Failure('not-found', `there is no command ${words.join(' ')}; treeboot help lists them`)
    return found
  }, program)
}

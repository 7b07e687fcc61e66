/** Runs one benchmark by name, with its arguments: `npm run bench -- http --quick`. Without a name it lists them. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== basename(import.meta.filename))
  .map((file) => basename(file, '.ts'))

/** The first line of the comment that the file opens with. */
function summaryOf(name: string): string {
  const text = readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8')
  return /^\/\*\*\n \* (.*)\n/.exec(text)?.[1] ?? ''
}

const [name, ...args] = process.argv.slice(2)
if (name !== undefined && names.includes(name)) {
  const file = join(import.meta.dirname, `${name}.ts`)
  const { status } = spawnSync(process.execPath, [...process.execArgv, file, ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} else {
  if (name !== undefined) console.error(`There is no benchmark "${name}".`)
  console.log('usage: npm run bench -- NAME [--quick]\n')
  for (const each of names) console.log(`  ${each.padEnd(12)} ${summaryOf(each)}`)
  process.exitCode = name === undefined ? 0 : 2
}

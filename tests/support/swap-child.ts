import { renameSync } from 'node:fs'

/**
 * A process for a test: puts a symlink in the place of a folder and back again, as quickly as it can, until its
 * standard input ends. For each line that it reads it writes how often. `node swap-child.ts FOLDER SYMLINK`
 */
const [folder = '', link = ''] = process.argv.slice(2)
const kept = `${folder}.kept`

/** Between two swaps a request comes further at one time than at another. */
function wait(): void {
  const until = performance.now() + Math.random() * 0.6
  while (performance.now() < until);
}

let swaps = 0
let ended = false
process.stdin
  .on('data', () => process.stdout.write(`${swaps}\n`))
  .on('end', () => {
    ended = true
  })

function swapForAWhile(): void {
  for (let i = 0; i < 50; i++) {
    renameSync(folder, kept)
    renameSync(link, folder)
    wait()
    renameSync(folder, link)
    renameSync(kept, folder)
    wait()
    swaps += 2
  }
  if (!ended) setImmediate(swapForAWhile)
}
swapForAWhile()

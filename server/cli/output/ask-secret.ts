import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Asks for a password at the terminal and shows none of it. Undefined when nobody is there. */
export async function askSecretAtTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined
  // readline writes what is typed to its output, and switches the echo of the terminal itself off.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Ctrl-C ends the command; the listener of readline alone would swallow it.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    // Not before: what is typed while the terminal still echoes is shown.
    process.stderr.write(question)
    return await terminal.question('')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

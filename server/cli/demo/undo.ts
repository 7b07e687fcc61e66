type Undo = () => void

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const live = new Set<UndoStack>()

/**
 * The steps that undo what a run changed on this machine (namespaces, processes, folders), in reverse order.
 * The steps are synchronous, so that they also work while the process ends: after Ctrl-C, an exit during a
 * test, an uncaught error.
 */
export class UndoStack {
  readonly #steps: { readonly what: string; readonly undo: Undo }[] = []

  constructor() {
    if (live.size === 0) watchTheEnd()
    live.add(this)
  }

  /** `what` names the change in messages. */
  push(what: string, undo: Undo): void {
    this.#steps.push({ what, undo })
  }

  /** Runs every step even when some fail; throws afterwards if any failed. Safe to call twice. */
  unwind(): void {
    const troubles: string[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step.undo()
      } catch (error) {
        troubles.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    live.delete(this)
    if (live.size === 0) unwatchTheEnd()
    if (troubles.length > 0) throw new Error(`left behind: ${troubles.join('; ')}`)
  }
}

function unwindAll(): void {
  for (const stack of [...live]) {
    try {
      stack.unwind()
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  unwindAll()
  unwatchTheEnd()
  process.kill(process.pid, signal)
}

function watchTheEnd(): void {
  process.on('exit', unwindAll)
  for (const signal of signals) process.on(signal, onSignal)
}

function unwatchTheEnd(): void {
  process.off('exit', unwindAll)
  for (const signal of signals) process.off(signal, onSignal)
}

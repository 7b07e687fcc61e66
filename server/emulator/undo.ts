type Undo = () => void

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Stacks that were not unwound yet. */
const openStacks = new Set<UndoStack>()

/**
 * The steps that undo what a run changed on this machine (network namespaces, processes, folders), in reverse
 * order. The steps are synchronous, so that they also work while the process ends: after Ctrl-C, after
 * `process.exit`, after an uncaught error.
 */
export class UndoStack {
  readonly #steps: { readonly what: string; readonly undo: Undo }[] = []

  constructor() {
    if (openStacks.size === 0) watchProcessEnd()
    openStacks.add(this)
  }

  /** `what` names the change in messages. */
  push(what: string, undo: Undo): void {
    this.#steps.push({ what, undo })
  }

  /** Runs every step even when some fail; throws afterwards if any failed. Safe to call twice. */
  unwind(): void {
    const failures: string[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step.undo()
      } catch (error) {
        failures.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    openStacks.delete(this)
    if (openStacks.size === 0) unwatchProcessEnd()
    if (failures.length > 0) throw new Error(`left behind: ${failures.join('; ')}`)
  }
}

function unwindAll(): void {
  for (const stack of [...openStacks]) {
    try {
      stack.unwind()
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  unwindAll()
  unwatchProcessEnd()
  process.kill(process.pid, signal)
}

function watchProcessEnd(): void {
  process.on('exit', unwindAll)
  for (const signal of signals) process.on(signal, onSignal)
}

function unwatchProcessEnd(): void {
  process.off('exit', unwindAll)
  for (const signal of signals) process.off(signal, onSignal)
}

import promises from 'node:fs/promises'

// biome-ignore lint/suspicious/noExplicitAny: any function of the module
type Calls = Record<string, (...args: any[]) => unknown>

/** Counts calls of functions in this process, and kills it before the call of that number. */
export class KillAtCall {
  readonly #at: number
  /** Whether calls count now. */
  isCounting = true
  calls = 0

  /** @param at From 1. Any other number: the process lives, and the calls are counted. */
  constructor(at: number) {
    this.#at = at
  }

  /** Counts the calls of these functions. `syncBuiltinESMExports` makes others see it. */
  watch(module: object, names: readonly string[]): void {
    const functions = module as Calls
    const counted = (name: string, args: readonly unknown[]): void => {
      // Opening to read changes nothing.
      const isRead = name.startsWith('open') && (args[1] === undefined || args[1] === 'r')
      if (this.isCounting && !isRead && ++this.calls === this.#at) die()
    }
    for (const each of names) {
      const original = functions[each] as Calls[string]
      functions[each] = function (this: unknown, ...args) {
        counted(each, args)
        return original.apply(this, args)
      }
    }
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // Nothing else may happen before the signal arrives.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** What all file handles have their functions from. */
export async function fileHandles(): Promise<object> {
  const handle = await promises.open(process.execPath)
  await handle.close()
  return Object.getPrototypeOf(handle)
}

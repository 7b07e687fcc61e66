/** Collects the output of a process or a serial line as plain text; callers can wait for a pattern in it. */
export class Transcript {
  #text = ''
  /** The beginning of an escape sequence whose end has not come yet. */
  #held = ''
  /** Why the output ended. */
  #ended: string | undefined
  readonly #listeners = new Set<() => void>()

  get text(): string {
    return this.#text
  }

  append(chunk: string): void {
    const { plain, held } = plainText(this.#held + chunk)
    this.#held = held
    this.#text += plain
    this.#wake()
  }

  /** Notes that the output has ended, and why. Every `waitFor` that still waits rejects. */
  end(reason: string): void {
    this.#ended ??= reason
    this.#wake()
  }

  /** Calls back with each complete line from now on. Returns a function that ends the calls. */
  onLine(callback: (line: string) => void): () => void {
    let from = this.#text.length
    const look = () => {
      for (let to = this.#text.indexOf('\n', from); to >= 0; to = this.#text.indexOf('\n', from)) {
        callback(this.#text.slice(from, to))
        from = to + 1
      }
    }
    this.#listeners.add(look)
    return () => this.#listeners.delete(look)
  }

  /**
   * Resolves to the first match. Rejects at the deadline or when the output ends; the message has the last
   * lines.
   */
  waitFor(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        act()
      }
      const fail = (why: string) =>
        finish(() => reject(new Error(`waited for ${pattern}: ${why}. The last lines were:\n${this.tail()}`)))
      const look = () => {
        const found = pattern.exec(this.#text)
        if (found) finish(() => resolve(found))
        else if (this.#ended !== undefined) fail(this.#ended)
      }
      const timer = setTimeout(() => fail(`not seen within ${timeoutMs / 1000} s`), timeoutMs)
      this.#listeners.add(look)
      look()
    })
  }

  /** The last lines. */
  tail(lines = 40): string {
    return this.#text.trimEnd().split('\n').slice(-lines).join('\n')
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/**
 * Converts output of firmware and loaders to plain text: drops the ANSI sequences with which they draw
 * on a serial line, and carriage returns at the ends of lines. A cursor jump, and a carriage return alone, becomes
 * a new line. `held` is the beginning of a sequence
 * that the chunk cuts in two.
 */
export function plainText(chunk: string): { plain: string; held: string } {
  const cut = /\x1b(?:\[[0-9;?]*)?$|\r+$/.exec(chunk)
  const whole = cut ? chunk.slice(0, cut.index) : chunk
  const plain = whole
    .replace(/\x1b\[[0-9;]*[HfJ]/g, '\n')
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][0-9A-B]|\x1b[=>78cDEHMNOZ]/g, '')
    .replace(/\r+\n/g, '\n')
    .replace(/\r+/g, '\n')
    .replace(/[^\n\t\x20-\x7e\x80-\uffff]/g, '')
    .replace(/\n{3,}/g, '\n\n')
  return { plain, held: cut ? cut[0] : '' }
}

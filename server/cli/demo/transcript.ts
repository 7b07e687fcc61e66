/** The output of a process or a serial line, as plain text, and a way to wait for a line of it. */
export class Transcript {
  #text = ''
  #held = ''
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

  /** The output has ended, for this reason. Every `waitFor` that still waits rejects. */
  end(reason: string): void {
    this.#ended ??= reason
    this.#wake()
  }

  /** Calls back with every complete line from now on. Returns the function that ends it. */
  onLine(take: (line: string) => void): () => void {
    let from = this.#text.length
    const look = () => {
      for (let to = this.#text.indexOf('\n', from); to >= 0; to = this.#text.indexOf('\n', from)) {
        take(this.#text.slice(from, to))
        from = to + 1
      }
    }
    this.#listeners.add(look)
    return () => this.#listeners.delete(look)
  }

  /** Rejects at the deadline, or when the output ends before; the message has the last lines. */
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

  tail(lines = 40): string {
    return this.#text.trimEnd().split('\n').slice(-lines).join('\n')
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/**
 * Firmware and loaders draw on the serial line with ANSI sequences and carriage returns. Drops them, and
 * holds back a sequence that the chunk cuts in two. A cursor jump starts a new line, as on a screen.
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

import { Failure } from '../core/failure.ts'
import { TemplateRenderer } from './renderer.ts'

/** How long it is kept when nobody uses it; its worker has some 60 MB of memory. */
const idleMs = 30_000
/** How many wait for it at most. */
const mostWaiting = 20

/**
 * A second renderer, for what people look at. A text that is only tried may end the worker, and then its template is not
 * run for a while: that must not happen to the renderer which machines wait for. It begins when it is needed, and does
 * one thing after the other.
 */
export class SpareRenderer {
  #renderer: TemplateRenderer | undefined
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()
  #idle: NodeJS.Timeout | undefined
  #closed = false

  /** @throws Failure `unavailable` when too many wait, and after `close`. */
  async use<T>(job: (renderer: TemplateRenderer) => Promise<T>): Promise<T> {
    if (this.#waiting >= mostWaiting)
      throw new Failure('unavailable', `${this.#waiting} others wait for the renderer; try again later`)
    this.#waiting++
    const done = this.#last.then(() => this.#run(job))
    this.#last = done.catch(() => undefined)
    try {
      return await done
    } finally {
      this.#waiting--
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#end()
    await this.#last
  }

  async #run<T>(job: (renderer: TemplateRenderer) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Failure('unavailable', 'the template renderer is closed')
    clearTimeout(this.#idle)
    this.#renderer ??= new TemplateRenderer()
    try {
      return await job(this.#renderer)
    } finally {
      this.#idle = setTimeout(() => void this.#end(), idleMs).unref()
    }
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle)
    const renderer = this.#renderer
    this.#renderer = undefined
    await renderer?.close()
  }
}

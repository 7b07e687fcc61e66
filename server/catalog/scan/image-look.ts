import { failureMessage } from '../../core/failure.ts'
import { type IsoSource, isoSource } from '../../files/iso/source.ts'
import { type Look, type Stamp, stampOf } from '../../files/listing-source.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'

const self = { protocol: 'internal', address: '127.0.0.1' } as const

/**
 * One look into an ISO image of `trees/`. Damage inside is no failure of the look: what cannot be read is not there,
 * and `troubles` tells why. While the image stays the same nothing in it can change, so the look rests on one stamp.
 */
export class ImageLook implements Look {
  /** Why something in it cannot be read: at most a few, in the order they were met. */
  readonly troubles: string[] = []
  readonly #image: Stamp
  readonly #source: IsoSource | undefined

  private constructor(image: Stamp, source: IsoSource | undefined) {
    this.#image = image
    this.#source = source
  }

  /** @param file Real path of the image. Undefined when it is gone. */
  static async open(file: string): Promise<ImageLook | undefined> {
    const image = await stampOf(file)
    if (!image || image.folder) return undefined
    try {
      return new ImageLook(image, await isoSource(file))
    } catch (error) {
      const look = new ImageLook(image, undefined)
      look.#note(error)
      return look
    }
  }

  /** Bytes that the image lacks by its own account. */
  get missingBytes(): number {
    return this.#source?.missingBytes ?? 0
  }

  get image(): Stamp {
    return this.#image
  }

  async stat(path: CleanPath): Promise<Entry | undefined> {
    try {
      return await this.#source?.stat(path, self)
    } catch (error) {
      this.#note(error)
      return undefined
    }
  }

  async list(path: CleanPath): Promise<readonly Entry[] | undefined> {
    try {
      return await this.#source?.list(path, self)
    } catch (error) {
      this.#note(error)
      return undefined
    }
  }

  async names(path: CleanPath): Promise<readonly string[]> {
    return ((await this.list(path)) ?? []).map(({ name }) => name)
  }

  async stamp(path: CleanPath): Promise<Stamp | undefined> {
    const entry = await this.stat(path)
    if (!entry) return undefined
    const image = this.#image.file
    return {
      ...this.#image,
      file: `${image}/${path}`,
      inside: { image, path },
      folder: entry.kind === 'folder',
      size: entry.size,
    }
  }

  seen(): Promise<ReadonlyMap<string, Stamp>> {
    return Promise.resolve(new Map([['/', this.#image]]))
  }

  #note(error: unknown): void {
    const message = failureMessage(error)
    if (this.troubles.length < 5 && !this.troubles.includes(message)) this.troubles.push(message)
  }
}

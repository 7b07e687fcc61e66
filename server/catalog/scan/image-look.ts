import { failureMessage } from '../../core/failure.ts'
import { internalRequester } from '../../core/net/requester.ts'
import type { VolumeIds } from '../../core/tree/volume-ids.ts'
import { isFaultOfImage } from '../../files/iso/image.ts'
import { type IsoSource, isoSource } from '../../files/iso/source.ts'
import { type Look, type Stamp, stampOf } from '../../files/listing-source.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'

/** How many reasons are kept: a damaged image may give another one for each of its files. */
const mostTroubles = 5

/**
 * One look into an ISO image of `trees/`. Damage inside does not make it fail: what cannot be read counts as
 * missing, and `troubles` says why. Nothing inside changes while the size and times of the image stay the
 * same, so `seen` holds only the stamp of the image.
 */
export class ImageLook implements Look {
  /** Why something in the image cannot be read: the first few reasons. */
  readonly troubles: string[] = []
  #fault: unknown
  readonly #image: Stamp
  readonly #source: IsoSource | undefined

  private constructor(image: Stamp, source: IsoSource | undefined) {
    this.#image = image
    this.#source = source
  }

  /** Opens the image at a real path; undefined when it is gone. */
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

  /** How many bytes are missing from the size that the image's header states. */
  get missingBytes(): number {
    return this.#source?.missingBytes ?? 0
  }

  /** What the volume descriptor says of the disc; undefined when it has none that can be read. */
  get volume(): VolumeIds | undefined {
    return this.#source?.volume
  }

  /**
   * The first error that shows that the image is damaged or may not be read; undefined when there was none. Other
   * errors of the disk may pass.
   */
  get fault(): unknown {
    return this.#fault
  }

  get image(): Stamp {
    return this.#image
  }

  async stat(path: CleanPath): Promise<Entry | undefined> {
    try {
      return await this.#source?.stat(path, internalRequester)
    } catch (error) {
      this.#note(error)
      return undefined
    }
  }

  async list(path: CleanPath): Promise<readonly Entry[] | undefined> {
    try {
      return await this.#source?.list(path, internalRequester)
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
    if (isFaultOfImage(error) || (error as NodeJS.ErrnoException).code === 'EACCES') this.#fault ??= error
    const message = failureMessage(error)
    if (this.troubles.length < mostTroubles && !this.troubles.includes(message)) this.troubles.push(message)
  }
}

import { Failure } from '../../core/failure.ts'
import { ByteReader } from './byte-reader.ts'

export const arMagic = '!<arch>\n'

/**
 * A member of an ar archive. Read its body before asking for the next member; a body that is not read is
 * skipped.
 */
export interface ArMember {
  readonly name: string
  readonly size: number
  body(): AsyncGenerator<Uint8Array>
}

/**
 * Reads an ar archive, the format of `.deb` packages (deb(5)): the magic, then members with a header of 60
 * bytes each, padded to even lengths.
 */
export async function* readAr(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ArMember> {
  const reader = new ByteReader(pieces)
  try {
    if ((await reader.take(arMagic.length)).toString('latin1') !== arMagic)
      throw new Failure('invalid-data', 'it is not an ar archive: it does not begin with !<arch>')
    for (;;) {
      const at = reader.position
      const header = await reader.take(60)
      if (header.length === 0) return
      const text = header.toString('latin1')
      // Bytes 0 to 15: the name. 48 to 57: the size in decimal. 58 and 59: the end mark (ar(5)).
      const size = Number(text.slice(48, 58).trim() || Number.NaN)
      if (header.length < 60 || text.slice(58) !== '`\n' || !Number.isSafeInteger(size) || size < 0)
        throw new Failure('invalid-data', `the archive is damaged: no member header at byte ${at}`)
      const end = reader.position + size
      // GNU ar puts a slash after each name.
      yield { name: text.slice(0, 16).trim().replace(/\/$/, ''), size, body: () => reader.body(size) }
      await reader.skip(end - reader.position)
      if (size % 2 === 1) await reader.take(1)
    }
  } finally {
    await reader.close()
  }
}

/**
 * Reads the member `data.tar` of a Debian package, which holds the package's files. It is still compressed.
 */
export async function* dataOfDeb(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let found = false
  for await (const member of readAr(pieces)) {
    if (!/^data\.tar(\.\w+)?$/.test(member.name)) continue
    found = true
    yield* member.body()
  }
  if (!found) throw new Failure('invalid-data', 'it is not a Debian package: it has no member data.tar')
}

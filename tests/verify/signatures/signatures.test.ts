import { createHash } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  createCleartextMessage,
  createMessage,
  generateKey,
  type PrivateKey,
  readPrivateKey,
  sign,
} from 'openpgp'
import { beforeAll, describe, expect, test } from 'vitest'
import { configurationLimits } from '../../../server/core/limits/configuration.ts'
import { documentLimits } from '../../../server/core/limits/documents.ts'
import { diskSource } from '../../../server/files/disk.ts'
import { rootPath } from '../../../server/files/path.ts'
import type { SignaturePolicy } from '../../../server/verify/signatures/key-files.ts'
import { readKeyring } from '../../../server/verify/signatures/key-files.ts'
import { runs } from '../../support/fuzz.ts'
import { makeRepository, somePackages } from '../../support/rpm-repository.ts'
import { stating } from '../../support/stating.ts'
import { imagesOfTree, makeTree, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'
import { verifyTreeAt } from '../../support/verify.ts'

interface Signer {
  readonly key: PrivateKey
  readonly armoured: string
}

const dayMs = 86_400_000
// Undefined until `beforeAll` has made them.
let [ours, strangers, expired]: Signer[] = []

async function makeSigner(
  name: string,
  more: { date?: Date; keyExpirationTime?: number } = {},
): Promise<Signer> {
  const made = await generateKey({ userIDs: [{ name, email: `${name}@example` }], ...more })
  return { key: await readPrivateKey({ armoredKey: made.privateKey }), armoured: made.publicKey }
}

beforeAll(async () => {
  const tenDaysAgo = new Date(Date.now() - 10 * dayMs)
  ours = await makeSigner('distribution')
  strangers = await makeSigner('somebody')
  const fiveDaysInSeconds = 5 * 86_400
  expired = await makeSigner('retired', { date: tenDaysAgo, keyExpirationTime: fiveDaysInSeconds })
})

const detached = async (bytes: Uint8Array, { key }: Signer, date = new Date()): Promise<string> =>
  sign({ message: await createMessage({ binary: bytes }), signingKeys: key, detached: true, date })
const clearsigned = async (text: string, { key }: Signer): Promise<string> =>
  sign({ message: await createCleartextMessage({ text }), signingKeys: key })

/** A tree with every image in one list of digests. */
function build(): { folder: string; list: string } {
  const folder = temporaryFolder()
  makeTree(folder, { checksums: false })
  const list = Object.entries(imagesOfTree())
    .map(([path, text]) => `${createHash('sha256').update(text).digest('hex')}  ${path}\n`)
    .join('')
  return { folder, list }
}

async function policy(
  signers: readonly (Signer | undefined)[],
  { required = false } = {},
): Promise<SignaturePolicy> {
  const folder = temporaryFolder()
  const files = signers.map((signer, at) => {
    writeBelow(folder, `${at}.asc`, signer?.armoured ?? '')
    return join(folder, `${at}.asc`)
  })
  return { keyring: await readKeyring(files), required }
}

async function verify(folder: string, signatures?: SignaturePolicy) {
  const report = await verifyTreeAt(diskSource(folder), rootPath, signatures && { signatures })
  const errors = report.findings.filter(({ severity }) => severity === 'error')
  return { ...report, errors: errors.map(({ path, message }) => `${path} ${message}`) }
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not made')
  return value
}

describe('a list with a detached signature', () => {
  test('by a given key is good, and the report says by whom', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    writeBelow(folder, 'SHA256SUMS.sign', await detached(Buffer.from(list), must(ours)))
    const { errors, signatures } = await verify(folder, await policy([strangers, ours], { required: true }))
    expect(errors).toEqual([])
    expect(signatures).toMatchObject([
      {
        document: 'SHA256SUMS',
        signature: 'SHA256SUMS.sign',
        outcome: 'good',
        signer: 'distribution <distribution@example>',
      },
    ])
  })
  test('of other bytes is an error that says what was changed; one flipped byte is enough', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS.gpg', await detached(Buffer.from(list), must(ours)))
    writeBelow(folder, 'SHA256SUMS', list.replace(/\.img\n/, '.imG\n'))
    expect((await verify(folder, await policy([ours]))).errors).toContainEqual(
      expect.stringMatching(
        /^SHA256SUMS does not fit its signature: one of the two was changed .*SHA256SUMS\.gpg/,
      ),
    )
  })
  test('by another key names that key and those that were given', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    writeBelow(folder, 'SHA256SUMS.asc', await detached(Buffer.from(list), must(strangers)))
    const { errors } = await verify(folder, await policy([ours]))
    const stranger = must(strangers).key.getFingerprint().toUpperCase()
    expect(errors).toEqual([
      expect.stringMatching(
        new RegExp(`is signed by key ${stranger}, which is not among the given keys: .*distribution`),
      ),
    ])
  })
  test('by a key that has expired, dated back to when it was good, does not hold', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    const whenItWasGood = new Date(Date.now() - 8 * dayMs)
    writeBelow(folder, 'SHA256SUMS.sign', await detached(Buffer.from(list), must(expired), whenItWasGood))
    expect((await verify(folder, await policy([expired]))).errors).toEqual([
      expect.stringMatching(/^SHA256SUMS is signed \(on .*\) by a key that expired on \d{4}-/),
    ])
  })
  test('that is cut off, empty or not a signature is an error, and never a crash', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    const whole = await detached(Buffer.from(list), must(ours))
    const signatures = await policy([ours])
    for (const text of [whole.slice(0, 120), '', 'no signature', whole.replace(/[A-Z]/g, 'A')]) {
      writeBelow(folder, 'SHA256SUMS.sign', text)
      expect((await verify(folder, signatures)).errors).toEqual([
        expect.stringMatching(/^SHA256SUMS has a signature/),
      ])
    }
    const keyring = signatures.keyring
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        expect((await keyring.checkDetached(Buffer.from(list), bytes)).good).toBe(false)
        await keyring.openClearsigned(Buffer.from(bytes).toString('latin1'))
      }),
      { numRuns: runs(200) },
    )
  })
})

describe('up to its limit a file is read, and beyond it is refused:', () => {
  const document = Buffer.from('document')

  test('32 signatures in one file', async () => {
    const { keyring } = await policy([ours])
    const message = await createMessage({ binary: document })
    const [theirs, good] = await Promise.all(
      [must(strangers), must(ours)].map(({ key }) =>
        sign({ message, signingKeys: key, detached: true, format: 'binary' }),
      ),
    )
    const { entries } = documentLimits.signature
    const check = (count: number) =>
      keyring.checkDetached(
        document,
        Buffer.concat([...Array<Uint8Array>(count - 1).fill(must(theirs)), must(good)]),
      )
    expect(await check(entries)).toMatchObject({ good: true })
    expect(await check(entries + 1)).toMatchObject({ good: false, why: expect.stringMatching('33.*32') })
  })

  test('a signature of 256 KiB beside twice its document', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    const signatures = await policy([ours])
    const most = documentLimits.signature.bytes + 2 * list.length
    const signature = await detached(Buffer.from(list), must(ours))
    writeBelow(folder, 'SHA256SUMS.sign', signature.padStart(most, '\n'))
    expect(await verify(folder, signatures)).toMatchObject({ errors: [], signatures: [{ outcome: 'good' }] })
    writeBelow(folder, 'SHA256SUMS.sign', signature.padStart(most + 1, '\n'))
    const { errors, signatures: notes } = await verify(folder, signatures)
    expect(notes).toMatchObject([{ outcome: 'bad' }])
    expect(errors).toEqual([expect.stringMatching(`^SHA256SUMS has a signature of ${most + 1} bytes`)])
  })

  test('a key file of 16 MiB', async () => {
    const { bytes } = configurationLimits.keyFile
    const file = join(temporaryFolder(), 'key.asc')
    writeFileSync(file, must(ours).armoured)
    truncateSync(file, bytes)
    expect((await readKeyring([file])).keys).toHaveLength(1)
    for (const size of [bytes + 1, 2 ** 40]) {
      truncateSync(file, size)
      await expect(readKeyring([file])).rejects.toThrow(stating(file, `more than ${bytes} bytes`))
    }
  })
})

test('a signature of repomd.xml covers what it names, down to the packages', async () => {
  const folder = temporaryFolder()
  makeTree(folder, { checksums: false })
  makeRepository(folder, somePackages(3))
  const file = join(folder, 'repodata/repomd.xml')
  writeBelow(folder, 'repodata/repomd.xml.asc', await detached(readFileSync(file), must(ours)))
  expect((await verify(folder, await policy([ours]))).errors).toEqual([])
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
  expect((await verify(folder, await policy([ours]))).errors).toEqual([
    expect.stringMatching(/^repodata\/repomd\.xml does not fit its signature/),
  ])
})

describe('a clearsigned list', () => {
  test('counts as far as it is signed, and the text around it is ignored', async () => {
    const { folder, list } = build()
    const whole = await clearsigned(list, must(ours))
    writeBelow(folder, 'tree-CHECKSUM', `${'0'.repeat(64)}  .treeinfo\n${whole}`)
    const signed = await verify(folder, await policy([ours]))
    expect(signed.errors).toEqual([])
    expect(signed.findings).toContainEqual(
      expect.objectContaining({
        severity: 'warning',
        message: expect.stringMatching(/outside of the signed part/),
      }),
    )
    expect((await verify(folder)).errors).toEqual([expect.stringMatching(/^\.treeinfo is damaged/)])
  })
  test('with a changed digest is an error, although the file fits it', async () => {
    const { folder, list } = build()
    const whole = await clearsigned(list, must(ours))
    const kernel = createHash('sha256')
      .update(imagesOfTree()['images/pxeboot/vmlinuz'] ?? '')
      .digest('hex')
    const evil = createHash('sha256').update('evil kernel').digest('hex')
    writeBelow(folder, 'images/pxeboot/vmlinuz', 'evil kernel')
    writeBelow(folder, 'tree-CHECKSUM', whole.replace(kernel, evil))
    expect((await verify(folder, await policy([ours]))).errors).toContainEqual(
      expect.stringMatching(/^tree-CHECKSUM does not fit its signature/),
    )
  })
})

describe('where something is missing', () => {
  test('without keys a signature is only reported as unchecked', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    writeBelow(folder, 'SHA256SUMS.sign', 'anything')
    const { errors, signatures } = await verify(folder)
    expect(errors).toEqual([])
    expect(signatures).toEqual([
      { document: 'SHA256SUMS', signature: 'SHA256SUMS.sign', outcome: 'unchecked' },
    ])
  })
  test('an unsigned list is an error only where signatures are required', async () => {
    const { folder, list } = build()
    writeBelow(folder, 'SHA256SUMS', list)
    expect((await verify(folder, await policy([ours]))).errors).toEqual([])
    const { errors } = await verify(folder, await policy([ours], { required: true }))
    expect(errors).toContainEqual(expect.stringMatching(/^SHA256SUMS .*signature/))
  })
  test('a key file without a public key is refused with its name and the remedy', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'key.asc')
    for (const [text, why] of [
      ['', /does not hold an OpenPGP key/],
      ['-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ', /does not hold an OpenPGP key/],
      [must(ours).key.armor(), /holds a secret key, which does not belong here/],
    ] as const) {
      writeFileSync(file, text)
      await expect(readKeyring([file])).rejects.toThrow(why)
      await expect(readKeyring([file])).rejects.toThrow(file)
    }
    await expect(readKeyring([join(folder, 'absent.asc')])).rejects.toThrow(/is not there; correct the path/)
  })
})

import { createHash, getHashes } from 'node:crypto'
import { lru } from '../../host/lru.ts'
import { asText, type Data, type Filter } from './filter.ts'
import { defaultRounds, type ShaCryptKind, shaCrypt } from './sha-crypt.ts'

const algorithms = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3-256', 'sha3-512']

function hash(text: string, algorithm: string): string {
  // `getHashes`: not every OpenSSL has all of them; one in FIPS mode has no md5.
  if (!algorithms.includes(algorithm) || !getHashes().includes(algorithm))
    throw new Error(`unknown hash '${algorithm}', expected ${algorithms.join(', ')}`)
  return createHash(algorithm).update(text).digest('hex')
}

const cryptKinds: Readonly<Record<string, ShaCryptKind>> = {
  sha512: 'sha512',
  sha512_crypt: 'sha512',
  sha256: 'sha256',
  sha256_crypt: 'sha256',
}

/** The default of passlib, and so of Ansible. With more an installer would wait too long for its answer file. */
const mostRounds = 656_000

/** The work of the algorithm grows with the square of the length. */
const longestPassword = 512

const cached = lru<string, string>(1000)

/**
 * `password_hash('sha512', salt, rounds=5000)`. Each rendering must give the same bytes, so a missing salt is
 * made from the guest's identity. It is never made from the password: a salt is public, and would be a fast
 * hash of the password.
 */
const passwordHash: Filter = {
  params: ['hashtype', 'salt', 'salt_size', 'rounds'],
  run(call) {
    const name = asText(call.args[0] ?? 'sha512', 'hash type')
    const kind = cryptKinds[name]
    if (!kind) throw new Error(`unknown password hash '${name}', expected sha512 or sha256`)
    const password = asText(call.value, 'password')
    if (password.length > longestPassword)
      throw new Error(
        `expected a password of at most ${longestPassword} characters, found ${password.length}`,
      )
    const salt = saltOf(call.args[1], call.args[2], call.seed)
    const rounds = roundsOf(call.args[3])
    const key = JSON.stringify([kind, password, salt, rounds])
    const earlier = cached.get(key)
    if (earlier !== undefined) return earlier
    const checkTime = timeCheck(call.deadlineMs, rounds ?? defaultRounds)
    const hashed = shaCrypt(kind, password, salt, { rounds, checkTime })
    cached.set(key, hashed)
    return hashed
  },
}

/** A rendering that takes too long is not tried again. So hashing ends before, with a reason. */
function timeCheck(deadlineMs: number | undefined, rounds: number): () => void {
  return () => {
    if (deadlineMs === undefined || performance.now() <= deadlineMs) return
    throw new Error(
      `${rounds} rounds take too long here: write fewer rounds, or make the hash by mkpasswd --method=sha-512 --rounds=${rounds} and give it in vars`,
    )
  }
}

function saltOf(given: Data | undefined, size: Data | undefined, seed: string): string {
  if (given === undefined || given === null) {
    const length = Number(size ?? 16)
    if (!Number.isInteger(length) || length < 1 || length > 16)
      throw new Error(`expected a salt_size from 1 to 16, found ${JSON.stringify(size)}`)
    return createHash('sha256')
      .update(`treeboot salt ${seed}`)
      .digest('base64')
      .replaceAll('+', '.')
      .slice(0, length)
  }
  const salt = asText(given, 'salt')
  if (!/^[./0-9A-Za-z]{1,16}$/.test(salt))
    throw new Error('expected a salt of 1 to 16 letters, digits, dots and slashes')
  return salt
}

/**
 * The rounds for `shaCrypt`. Undefined for the default number, even when the template gives it. As with
 * passlib, the hash then does not name its rounds.
 */
function roundsOf(given: Data | undefined): number | undefined {
  if (given === undefined || given === null || given === defaultRounds) return undefined
  const rounds = Number(given)
  if (!Number.isInteger(rounds) || rounds < 1000 || rounds > mostRounds)
    throw new Error(`expected rounds from 1000 to ${mostRounds}, found ${JSON.stringify(given)}`)
  return rounds
}

/** Names and defaults are those of Ansible's filters: `checksum` is SHA-1. */
export const hashFilters: Readonly<Record<string, Filter>> = {
  hash: { params: ['hashtype'], run: (call) => hash(asText(call.value), asText(call.args[0] ?? 'sha1')) },
  md5: { run: (call) => hash(asText(call.value), 'md5') },
  sha1: { run: (call) => hash(asText(call.value), 'sha1') },
  checksum: { run: (call) => hash(asText(call.value), 'sha1') },
  password_hash: passwordHash,
}

import { type Request, type Response, Router } from 'express'
import { Failure } from '../../core/failure.ts'
import { type CleanPath, cleanPath, parentPath } from '../../files/path.ts'
import type { Uploads } from '../../intake/uploads/uploads.ts'
import { announcedDigest, receive } from './receive.ts'

const version = '1.0.0'
/** 100 GiB: the largest discs have a tenth of it. */
const maxBytes = 100 * 2 ** 30

/**
 * Resumable uploads by the tus protocol 1.0.0 with creation, creation-with-upload, termination and checksum. The
 * bytes go straight to their place in the upload area, so an upload begun by one protocol can be ended by another,
 * and after a restart the offset is simply the size of the file. The length is part of the upload's own URL, so
 * there is nothing else to remember.
 */
export function tusRouter(uploads: Uploads): Router {
  const router = Router()
  router.use((req, res, next) => {
    res.set({ 'Tus-Resumable': version, 'Cache-Control': 'no-store' })
    if (req.method === 'OPTIONS' || req.headers['tus-resumable'] === version) return next()
    res.set('Tus-Version', version)
    res
      .status(412)
      .json({ error: 'bad-request', message: `Tus-Resumable: ${version} is the version spoken here` })
  })
  router.options('/{*rest}', (_req, res) => {
    res.set({
      'Tus-Version': version,
      'Tus-Extension': 'creation,creation-with-upload,termination,checksum',
      'Tus-Max-Size': String(maxBytes),
      'Tus-Checksum-Algorithm': 'md5,sha1,sha256,sha512',
    })
    res.status(204).end()
  })
  router.post('/', (req, res) => create(uploads, req, res))
  router.head('/:length/*path', async (req, res) => {
    const { path, length } = uploadOf(req)
    const offset = await uploads.size(path)
    if (offset === undefined) throw new Failure('not-found', `${path} was removed, or published already`)
    res
      .set({ 'Upload-Offset': String(offset), 'Upload-Length': String(length) })
      .status(200)
      .end()
  })
  router.patch('/:length/*path', async (req, res) => {
    const { path, length } = uploadOf(req)
    if (req.headers['content-type'] !== 'application/offset+octet-stream')
      return void res
        .status(415)
        .json({ error: 'unsupported', message: 'expected Content-Type: application/offset+octet-stream' })
    const offset = await uploads.size(path)
    if (offset === undefined) throw new Failure('not-found', `${path} was removed, or published already`)
    if (Number(req.headers['upload-offset']) !== offset)
      return void res.status(409).json({ error: 'conflict', message: `${path} has ${offset} bytes` })
    await take(uploads, req, res, path, length, offset)
  })
  router.delete('/:length/*path', async (req, res) => {
    await uploads.removeAll(uploadOf(req).path)
    res.status(204).end()
  })
  return router
}

async function create(uploads: Uploads, req: Request, res: Response): Promise<void> {
  const length = Number(req.headers['upload-length'] ?? Number.NaN)
  if (!Number.isSafeInteger(length) || length < 0)
    throw new Failure('bad-request', 'Upload-Length: expected the number of bytes to come')
  if (length > maxBytes) throw new Failure('too-large', `${length} bytes; at most ${maxBytes} in one file`)
  const metadata = parseMetadata(String(req.headers['upload-metadata'] ?? ''))
  const name =
    metadata.get('relativePath') || metadata.get('path') || metadata.get('filename') || metadata.get('name')
  if (!name)
    throw new Failure(
      'bad-request',
      'Upload-Metadata: expected filename, or relativePath for a file of a folder',
    )
  const path = cleanPath(name)
  if (parentPath(path) !== '/') await uploads.makeFolders(parentPath(path))
  // Made empty: from now on there is an offset to ask for.
  const file = await uploads.openForWriting(path, 0)
  await file.close(length === 0 ? 'complete' : 'partial')
  res.set('Location', `${req.baseUrl}/${length}${path.split('/').map(encodeURIComponent).join('/')}`)
  res.status(201)
  if (req.headers['content-type'] === 'application/offset+octet-stream')
    return take(uploads, req, res, path, length, 0)
  res.set('Upload-Offset', '0').end()
}

async function take(
  uploads: Uploads,
  req: Request,
  res: Response,
  path: CleanPath,
  length: number,
  offset: number,
): Promise<void> {
  const announced = Number(req.headers['content-length'] ?? 0)
  if (offset + announced > length)
    throw new Failure(
      'too-large',
      `${path} was announced with ${length} bytes, and ${offset + announced} would come`,
    )
  const digest = announcedDigest(req)
  const file = await uploads.openForWriting(path, offset)
  try {
    const received = await receive(req, file, (bytes) => offset + bytes === length, digest)
    if (res.statusCode !== 201) res.status(204)
    res.set('Upload-Offset', String(offset + received)).end()
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'invalid-data') throw error
    // Checksum extension: what was damaged on the way is dropped again, and 460 says so.
    const undo = await uploads.openForWriting(path, offset)
    await undo.close('partial')
    res.status(460).json({ error: error.kind, message: error.message })
  }
}

function uploadOf(req: Request): { path: CleanPath; length: number } {
  const { length, path } = req.params
  const bytes = Number(length)
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Failure('not-found', 'no such upload')
  return { length: bytes, path: cleanPath(Array.isArray(path) ? path.join('/') : (path ?? '')) }
}

/** `filename d29ybGQ=,is_confidential`: values in base64, keys without one are flags. */
function parseMetadata(header: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const pair of header.split(',')) {
    const [key = '', value = ''] = pair.trim().split(/\s+/)
    if (key !== '') values.set(key, Buffer.from(value, 'base64').toString('utf8'))
  }
  return values
}

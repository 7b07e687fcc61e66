import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import { type CleanPath, cleanPath, parentPath } from '../../files/path.ts'
import type { Uploads } from '../../intake/uploads/uploads.ts'
import type { ApiContext } from '../context.ts'
import { segments } from '../input.ts'
import { problemReply } from '../problem.ts'
import type { Reply } from '../reply.ts'
import { needs, route } from '../route.ts'
import { announcedDigest, receive, type Sink } from './receive-body.ts'

const version = '1.0.0'
/** 100 GiB: ten times the largest disc. */
const maxBytes = requestLimits.upload.bytes
const bodyType = 'application/offset+octet-stream'

/**
 * Resumable uploads by the tus protocol 1.0.0 (tus.io) with creation, creation-with-upload, termination and
 * checksum. The bytes go straight to their place in the upload area. So one protocol can finish an upload
 * that another began, and after a restart the offset is the size of the file. The length is part of the
 * upload's own URL, so no other state has to be stored.
 */
const tusParams = z.object({ length: z.string(), path: segments })

interface TusCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

interface UploadCall extends TusCall {
  readonly params: z.output<typeof tusParams>
}

function abilities({ res }: TusCall): Reply {
  setCommonHeaders(res)
  const headers = {
    'Tus-Version': version,
    'Tus-Extension': 'creation,creation-with-upload,termination,checksum',
    'Tus-Max-Size': String(maxBytes),
    'Tus-Checksum-Algorithm': 'md5,sha1,sha256,sha512',
  }
  return { status: 204, headers }
}

const create = tus(async ({ req }: TusCall, { uploads }): Promise<Reply> => {
  const length = Number(req.headers['upload-length'] ?? Number.NaN)
  if (!Number.isSafeInteger(length) || length < 0)
    throw new Failure('bad-request', 'Upload-Length: expected the number of bytes to come')
  refuseTooLong(length)
  const path = cleanPath(nameIn(String(req.headers['upload-metadata'] ?? '')))
  if (parentPath(path) !== '/') await uploads.makeFolders(parentPath(path))
  // Makes an empty file, so that a `HEAD` finds an offset.
  const file = await uploads.openForWriting(path, 0)
  await file.close(length === 0 ? 'complete' : 'partial')
  const Location = `/api/v1/uploads/tus/${length}${path.split('/').map(encodeURIComponent).join('/')}`
  if (req.headers['content-type'] !== bodyType)
    return { status: 201, headers: { Location, 'Upload-Offset': '0' } }
  const reply = await receivePart(uploads, req, { path, length, offset: 0 })
  return reply.status === 204
    ? { status: 201, headers: { Location, ...reply.headers } }
    : { ...reply, headers: { Location } }
})

const offset = tus(async ({ params }: UploadCall, { uploads }): Promise<Reply> => {
  const { path, length } = uploadOf(params)
  const size = await sizeOf(uploads, path)
  return { headers: { 'Upload-Offset': String(size), 'Upload-Length': String(length) } }
})

const append = tus(async ({ params, req }: UploadCall, { uploads }): Promise<Reply> => {
  const { path, length } = uploadOf(params)
  if (req.headers['content-type'] !== bodyType)
    throw new Failure('wrong-type', `expected Content-Type: ${bodyType}`)
  const size = await sizeOf(uploads, path)
  if (Number(req.headers['upload-offset']) !== size)
    throw new Failure('conflict', `${path} has ${size} bytes; expected Upload-Offset: ${size}`)
  return receivePart(uploads, req, { path, length, offset: size })
})

const remove = tus(async ({ params }: UploadCall, { uploads }): Promise<Reply> => {
  await uploads.removeAll(uploadOf(params).path)
  return { status: 204 }
})

const access = needs('operator', 'uploads')
const uploads = '/api/v1/uploads'
const tusUpload = `${uploads}/tus/:length/*path`
const answers = { 200: {}, 201: {}, 204: {} }

/** They stand before the rows of plain uploads, which would match their paths. */
export const tusRoutes = [
  route({ method: 'OPTIONS', path: `${uploads}/tus{/*rest}`, access, answers, handle: abilities }),
  route({
    method: 'POST',
    path: `${uploads}/tus`,
    operation: 'createTusUpload',
    summary: 'begins a resumable upload (tus 1.0.0)',
    access,
    failures: ['bad-request', 'precondition-failed', 'conflict', 'invalid-data', 'too-large'],
    answers: { 201: { headers: { Location: 'where the bytes go' } } },
    handle: create,
  }),
  route({ method: 'HEAD', path: tusUpload, access, params: tusParams, answers, handle: offset }),
  route({ method: 'PATCH', path: tusUpload, access, params: tusParams, answers, handle: append }),
  route({ method: 'DELETE', path: tusUpload, access, params: tusParams, answers, handle: remove }),
  // No upload may be named `tus`: its files would have the URLs of this protocol.
  route({
    method: 'PUT',
    path: `${uploads}/tus/*rest`,
    access,
    answers: {},
    handle() {
      throw new Failure('bad-request', 'tus is the path of resumable uploads: choose another name')
    },
  }),
] as const

function setCommonHeaders(res: ServerResponse): void {
  res.setHeader('Tus-Resumable', version)
  res.setHeader('Cache-Control', 'no-store')
}

/** Wraps a handler: every response, also of a failure, gets tus's headers; other versions of tus get 412. */
function tus<Call extends TusCall>(handle: (call: Call, context: ApiContext) => Promise<Reply>) {
  return async (call: Call, context: ApiContext): Promise<Reply> => {
    setCommonHeaders(call.res)
    if (call.req.headers['tus-resumable'] === version) return handle(call, context)
    call.res.setHeader('Tus-Version', version)
    throw new Failure(
      'precondition-failed',
      `expected Tus-Resumable: ${version}, the version that this server speaks`,
    )
  }
}

async function sizeOf(uploads: Uploads, path: CleanPath): Promise<number> {
  const size = await uploads.offset(path)
  if (size === undefined) throw new Failure('not-found', `${path} was removed, or is published already`)
  return size
}

interface Part {
  readonly path: CleanPath
  /** Bytes of the whole file. */
  readonly length: number
  /** Where the body of this request begins in the file. */
  readonly offset: number
}

/** Receives the body of one request as the next part of a file. */
async function receivePart(uploads: Uploads, req: IncomingMessage, part: Part): Promise<Reply> {
  const { path, length, offset } = part
  const checkEnd = (end: number): void => {
    if (end > length)
      throw new Failure('too-large', `${path} was announced with ${length} bytes, and ${end} would come`)
  }
  checkEnd(offset + Number(req.headers['content-length'] ?? 0))
  const digest = announcedDigest(req)
  const file = await uploads.openForWriting(path, offset)
  let end = offset
  const sink: Sink = {
    async write(bytes) {
      // A body in chunks has no Content-Length.
      end += bytes.length
      checkEnd(end)
      await file.write(bytes)
    },
    close: (outcome) => file.close(outcome),
  }
  try {
    const received = await receive(req, sink, (bytes) => offset + bytes === length, digest)
    return { status: 204, headers: { 'Upload-Offset': String(offset + received) } }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'invalid-data') throw error
    // The checksum extension of tus: a damaged part is removed, and the status is 460. To open the file at the
    // offset cuts the part off.
    const truncated = await uploads.openForWriting(path, offset)
    await truncated.close('partial')
    const { headers = {}, json } = problemReply(error.kind, error.message)
    return { status: 460, headers, json: { ...json, status: 460 } }
  }
}

function uploadOf({ length, path }: z.output<typeof tusParams>): { path: CleanPath; length: number } {
  const bytes = Number(length)
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Failure('not-found', 'no such upload')
  // A client may write another length into the URL that it was given.
  refuseTooLong(bytes)
  return { length: bytes, path: cleanPath(path) }
}

function refuseTooLong(length: number): void {
  if (length > maxBytes) throw new Failure('too-large', `${length} bytes; at most ${maxBytes} in one file`)
}

/**
 * The path of the upload: clients send `relativePath` for a file of a folder, `filename` for a single file.
 */
function nameIn(header: string): string {
  const metadata = parseMetadata(header)
  for (const key of ['relativePath', 'path', 'filename', 'name']) {
    const value = metadata.get(key)
    if (value) return value
  }
  throw new Failure(
    'bad-request',
    'Upload-Metadata: expected filename, or relativePath for a file of a folder',
  )
}

/**
 * Parses `filename d29ybGQ=,is_confidential`: values are base64; a key without a value is a flag and gets ''.
 */
function parseMetadata(header: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const pair of header.split(',')) {
    const [key = '', value = ''] = pair.trim().split(/\s+/)
    if (key !== '') values.set(key, Buffer.from(value, 'base64').toString('utf8'))
  }
  return values
}

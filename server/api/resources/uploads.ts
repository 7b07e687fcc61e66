import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { cleanPath, parentPath } from '../../files/path.ts'
import { segments } from '../input.ts'
import type { ApiContext, Reply } from '../route.ts'
import type { PublishResult, UploadReceipt, UploadView } from '../types.ts'
import { announcedDigest, receive } from './receive-body.ts'

/**
 * The handlers of `/api/v1/uploads`, which are for administrators only.
 *
 *     curl -T Fedora.iso -H "Authorization: Bearer $TOKEN" http://server/api/v1/uploads/fedora-40.iso
 *     curl -T vmlinuz ... http://server/api/v1/uploads/fedora-40/images/pxeboot/vmlinuz
 *     curl -X POST ... http://server/api/v1/uploads/fedora-40/publish
 */
export const uploadParams = z.object({ path: segments })
export const showParams = z.object({ name: z.string() })
export const publishParams = z.object({ id: segments })

/** `?replace`, `?replace=1` and the like mean yes; `?replace=false` and no `replace` mean no. */
export const publishQuery = z.object({
  replace: z
    .unknown()
    .optional()
    .transform((value) => value !== undefined && value !== 'false'),
  accept: z.string().min(1).optional().catch(undefined),
})

interface PathCall {
  readonly params: z.output<typeof uploadParams>
  readonly req: IncomingMessage
}

export async function list(_: unknown, { uploads }: ApiContext): Promise<Reply> {
  const json: readonly UploadView[] = await uploads.list()
  return { json }
}

export async function show(
  { params: { name } }: { params: z.output<typeof showParams> },
  { uploads }: ApiContext,
): Promise<Reply> {
  const json: UploadView | undefined = (await uploads.list()).find((upload) => upload.name === name)
  if (!json) throw new Failure('not-found', `nothing was uploaded as ${name}, or it is published already`)
  return { json }
}

/** Responds with the size of an uploaded file: the offset at which `curl -C OFFSET` and scripts continue. */
export async function offset({ params }: PathCall, { uploads }: ApiContext): Promise<Reply> {
  const path = cleanPath(params.path)
  const size = await uploads.offset(path)
  if (size === undefined) throw new Failure('not-found', `${path} was not uploaded`)
  return {
    headers: {
      'Upload-Offset': String(size),
      // No and yes as structured fields write them (RFC 9651, 3.3.6).
      'Upload-Complete': uploads.isPartial(path) ? '?0' : '?1',
      'Content-Length': String(size),
    },
  }
}

/** Receives a whole file, or the next part of a file with `Content-Range: bytes 1000-1999/2000`. */
export async function put({ params, req }: PathCall, { uploads }: ApiContext): Promise<Reply> {
  if (req.url?.split('?')[0]?.endsWith('/'))
    throw new Failure('bad-request', 'the URL ends with /: name the file, or use curl -T FILE URL/')
  const path = cleanPath(params.path)
  const range = contentRange(req)
  const digest = announcedDigest(req)
  if (parentPath(path) !== '/') await uploads.makeFolders(parentPath(path))
  const isNew = (await uploads.size(path)) === undefined
  const start = range?.from ?? 0
  const file = await uploads.openForWriting(path, start)
  // Without a total nothing says that more will come.
  const isWhole = (bytes: number) => range?.total === undefined || start + bytes === range.total
  const received = await receive(req, file, isWhole, digest)
  const json: UploadReceipt = { path: path.slice(1), received, size: start + received }
  return { status: isNew ? 201 : 200, json }
}

export async function publish(
  { params, query }: { params: z.output<typeof publishParams>; query: z.output<typeof publishQuery> },
  { uploads }: ApiContext,
): Promise<Reply> {
  const { replace, accept } = query
  const json: PublishResult = await uploads.publish(cleanPath(params.id), defined({ replace, accept }))
  return { status: json.outcome === 'published' ? 200 : 422, json }
}

export async function remove({ params }: PathCall, { uploads }: ApiContext): Promise<Reply> {
  await uploads.removeAll(cleanPath(params.path))
  return { status: 204 }
}

/**
 * The `Content-Range` of a request with a part of a file (RFC 9110, 14.4 and 14.5). A total of `*` means that
 * the length is unknown.
 */
function contentRange({ headers }: IncomingMessage): { from: number; total: number | undefined } | undefined {
  const header = headers['content-range']
  if (header === undefined) return undefined
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header.trim())
  if (!match) throw new Failure('bad-request', `Content-Range: ${header}: expected bytes FIRST-LAST/TOTAL`)
  return { from: Number(match[1]), total: match[3] === '*' ? undefined : Number(match[3]) }
}

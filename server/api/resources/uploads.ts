import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { cleanPath, parentPath } from '../../files/path.ts'
import type { Uploads } from '../../intake/uploads/uploads.ts'
import { actorOf } from '../actor.ts'
import { segments } from '../input.ts'
import { wholeList } from '../lists.ts'
import { problemOf } from '../problem.ts'
import { json, needs, route } from '../route.ts'
import { publishResult, uploadPage, uploadReceipt, upload as uploadSchema } from '../schemas/uploads.ts'
import type { UploadReceipt } from '../types.ts'
import { announcedDigest, receive } from './receive-body.ts'

/**
 * What is uploaded, and published from there:
 *
 *     curl -T Fedora.iso -H "Authorization: Bearer $TOKEN" http://server/api/v1/uploads/fedora-40.iso
 *     curl -T vmlinuz ... http://server/api/v1/uploads/fedora-40/images/pxeboot/vmlinuz
 *     curl -X POST ... http://server/api/v1/uploads/fedora-40/publish
 */
const uploads = '/api/v1/uploads'
const access = needs('operator', 'uploads')
const pathParams = z.object({ path: segments })

/** `?replace`, `?replace=1` and the like mean yes; `?replace=false` and no `replace` mean no. */
const publishQuery = z.object({
  replace: z
    .unknown()
    .optional()
    .transform((value) => value !== undefined && value !== 'false')
    .meta({ type: 'boolean', description: 'it may take the place of a tree of that name' }),
  accept: z
    .string()
    .min(1)
    .optional()
    .catch(undefined)
    .meta({ type: 'string', description: 'publish although files differ, for this reason' }),
})

export const uploadRoutes = [
  route({
    method: 'GET',
    path: uploads,
    operation: 'listUploads',
    summary: 'what was uploaded and is not published yet',
    access,
    answers: { 200: json(uploadPage) },
    handle: async (_, context) => ({ json: wholeList(await context.uploads.list()) }),
  }),
  // The size of an uploaded file: the offset at which `curl -C OFFSET` and scripts continue.
  route({
    method: 'HEAD',
    path: `${uploads}/*path`,
    operation: 'headUpload',
    summary: 'how much of a file has arrived',
    access,
    params: pathParams,
    answers: {
      200: {
        headers: {
          'Upload-Offset': 'the bytes that have arrived: where the next part begins',
          'Upload-Complete': '`?1`: all of it; `?0`: not all',
        },
      },
    },
    async handle({ params }, context) {
      const path = cleanPath(params.path)
      const size = await context.uploads.offset(path)
      if (size === undefined) throw new Failure('not-found', `${path} was not uploaded`)
      return {
        headers: {
          'Upload-Offset': String(size),
          // No and yes as structured fields write them (RFC 9651, 3.3.6).
          'Upload-Complete': context.uploads.isPartial(path) ? '?0' : '?1',
          'Content-Length': String(size),
        },
      }
    },
  }),
  route({
    method: 'GET',
    path: `${uploads}/:path`,
    operation: 'getUpload',
    summary: 'one upload',
    access,
    params: z.object({ path: z.string() }),
    answers: { 200: json(uploadSchema) },
    async handle({ params: { path: name } }, context) {
      const found = (await context.uploads.list()).find((each) => each.name === name)
      if (!found)
        throw new Failure('not-found', `nothing was uploaded as ${name}, or it is published already`)
      return { json: found }
    },
  }),
  route({
    method: 'PUT',
    path: `${uploads}/*path`,
    operation: 'putUpload',
    summary: 'uploads a file, or the next part of one',
    description: 'The body is the file. With `Content-Range: bytes 1000-1999/2000` it is a part of it.',
    access,
    failures: ['conflict', 'invalid-data', 'too-large'],
    params: pathParams,
    answers: { 200: json(uploadReceipt), 201: json(uploadReceipt) },
    async handle({ params, req }, context) {
      const { isNew, receipt } = await receiveFile(params.path, req, context.uploads)
      return { status: isNew ? 201 : 200, json: receipt }
    },
  }),
  route({
    method: 'POST',
    path: `${uploads}/*id/publish`,
    operation: 'publishUpload',
    summary: 'verifies and publishes an upload',
    access,
    failures: ['conflict', 'invalid-data'],
    params: z.object({ id: segments }),
    query: publishQuery,
    answers: { 200: json(publishResult) },
    async handle(call, context) {
      const { params, query } = call
      const { replace, accept } = query
      const result = await context.uploads.publish(cleanPath(params.id), defined({ replace, accept }))
      const done = {
        action: 'uploads.publish',
        target: params.id,
        after: { ...result, ...defined({ accept }) },
      }
      await context.accounts.audit.write(actorOf(call), done)
      if (result.outcome === 'published') return { json: result }
      const details = result.lines.map((line) => ({ field: params.id, expected: line }))
      const problem = problemOf('invalid-data', result.lines.join('; '), details)
      return {
        status: problem.status,
        headers: { 'Content-Type': 'application/problem+json' },
        json: { ...problem, ...result },
      }
    },
  }),
  route({
    method: 'DELETE',
    path: `${uploads}/*path`,
    operation: 'deleteUpload',
    summary: 'deletes an upload, or a part of one',
    access,
    failures: ['conflict'],
    params: pathParams,
    answers: { 204: {} },
    async handle(call, context) {
      const { path } = call.params
      await context.uploads.removeAll(cleanPath(path))
      await context.accounts.audit.write(actorOf(call), { action: 'uploads.remove', target: path })
      return { status: 204 }
    },
  }),
] as const

/** Receives a whole file, or the next part of a file with `Content-Range: bytes 1000-1999/2000`. */
async function receiveFile(
  name: string,
  req: IncomingMessage,
  area: Uploads,
): Promise<{ isNew: boolean; receipt: UploadReceipt }> {
  if (req.url?.split('?')[0]?.endsWith('/'))
    throw new Failure('bad-request', 'the URL ends with /: name the file, or use curl -T FILE URL/')
  const path = cleanPath(name)
  const range = contentRange(req)
  const digest = announcedDigest(req)
  if (parentPath(path) !== '/') await area.makeFolders(parentPath(path))
  const isNew = (await area.size(path)) === undefined
  const start = range?.from ?? 0
  const file = await area.openForWriting(path, start)
  // Without a total nothing says that more will come.
  const isWhole = (bytes: number) => range?.total === undefined || start + bytes === range.total
  const received = await receive(req, file, isWhole, digest)
  return { isNew, receipt: { path: path.slice(1), received, size: start + received } }
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

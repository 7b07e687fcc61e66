import { type Request, type Response, Router } from 'express'
import { Failure } from '../../core/failure.ts'
import { type CleanPath, cleanPath, parentPath } from '../../files/path.ts'
import type { Uploads } from '../../intake/uploads/uploads.ts'
import { requireAdmin } from '../admin.ts'
import { announcedDigest, receive } from './receive.ts'
import { tusRouter } from './tus.ts'

export interface UploadParts {
  readonly uploads: Uploads
  readonly isAdmin: (token: string) => boolean
}

/**
 * `/api/v1/uploads`: for administrators only.
 *
 *     curl -T Fedora.iso -H "Authorization: Bearer $TOKEN" http://server/api/v1/uploads/fedora-40.iso
 *     curl -T vmlinuz ... http://server/api/v1/uploads/fedora-40/images/pxeboot/vmlinuz
 *     curl -X POST ... http://server/api/v1/uploads/fedora-40/publish
 */
export function uploadsRouter({ uploads, isAdmin }: UploadParts): Router {
  const router = Router()
  router.use((req, res, next) => {
    try {
      // What a protocol of resumable uploads can do is no secret, and browsers ask without credentials.
      if (req.method !== 'OPTIONS') requireAdmin(req, isAdmin)
      next()
    } catch (error) {
      // The body of a refused upload is not waited for.
      res.set({ 'WWW-Authenticate': 'Basic realm="treeboot", charset="UTF-8"', Connection: 'close' })
      res.status(401).json({ error: 'forbidden', message: (error as Error).message })
    }
  })
  router.use('/tus', tusRouter(uploads))
  router.get('/', async (_req, res) => void res.json(await uploads.list()))
  // Before the GET of a name: Express answers a HEAD with that, too.
  router.head('/*path', (req, res) => answerOffset(uploads, pathOf(req), res))
  router.get('/:name', async (req, res) => {
    const found = (await uploads.list()).find((upload) => upload.name === req.params.name)
    if (!found)
      throw new Failure('not-found', `nothing was uploaded as ${req.params.name}, or it is published already`)
    res.json(found)
  })
  router.put('/*path', (req, res) => put(uploads, req, res))
  router.post('/*path', async (req, res) => {
    const path = pathOf(req)
    if (!path.endsWith('/publish')) throw new Failure('not-found', `POST ${path}: expected .../publish`)
    const { replace, accept } = req.query
    const report = await uploads.publish(parentPath(path), {
      replace: replace !== undefined && replace !== 'false',
      ...(typeof accept === 'string' && accept !== '' && { accept }),
    })
    res.status(report.outcome === 'published' ? 200 : 422).json(report)
  })
  router.delete('/*path', async (req, res) => {
    await uploads.removeAll(pathOf(req))
    res.status(204).end()
  })
  return router
}

function pathOf(req: Request): CleanPath {
  const { path } = req.params
  return cleanPath(Array.isArray(path) ? path.join('/') : (path ?? ''))
}

/** How much of a file is here: `curl -C -` and scripts go on from there. */
async function answerOffset(uploads: Uploads, path: CleanPath, res: Response): Promise<void> {
  const size = await uploads.size(path)
  if (size === undefined) throw new Failure('not-found', `${path} was not uploaded`)
  res.set({ 'Upload-Offset': String(size), 'Upload-Complete': uploads.isPartial(path) ? '?0' : '?1' })
  res.set('Content-Length', String(size)).end()
}

/** A whole file, or with `Content-Range: bytes 1000-1999/2000` the next part of one. */
async function put(uploads: Uploads, req: Request, res: Response): Promise<void> {
  const path = pathOf(req)
  if (req.originalUrl.split('?')[0]?.endsWith('/'))
    throw new Failure(
      'bad-request',
      'the URL ends with /: name the file, or let curl do it with -T FILE URL/',
    )
  const range = rangeOf(req)
  const digest = announcedDigest(req)
  if (parentPath(path) !== '/') await uploads.makeFolders(parentPath(path))
  const isNew = (await uploads.size(path)) === undefined
  const file = await uploads.openForWriting(path, range?.from ?? 0)
  const total = range?.total
  const start = range?.from ?? 0
  const received = await receive(req, file, (bytes) => total === undefined || start + bytes === total, digest)
  res.status(isNew ? 201 : 200).json({ path: path.slice(1), received, size: start + received })
}

function rangeOf(req: Request): { from: number; total: number | undefined } | undefined {
  const header = req.headers['content-range']
  if (header === undefined) return undefined
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header.trim())
  if (!match) throw new Failure('bad-request', `Content-Range: ${header}: expected bytes FIRST-LAST/TOTAL`)
  return { from: Number(match[1]), total: match[3] === '*' ? undefined : Number(match[3]) }
}

import type { IncomingMessage } from 'node:http'
import { json as jsonBody, type Request, type Response, Router } from 'express'
import type { Snapshot } from '../catalog/snapshot.ts'
import { explainBoot } from '../core/boot/explain.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Requester } from '../core/net/requester.ts'
import { diskSource } from '../files/disk.ts'
import { loaderOptions, planAs } from '../machines/decide.ts'
import type { GuestHistory } from '../machines/history.ts'
import { handWrittenFor } from '../namespace/hand-written.ts'
import { type Format, formatContentType, renderPlan } from '../render/render.ts'
import { requireAdmin } from './admin.ts'
import { formatOf } from './resources/lookup.ts'
import { reportOf } from './resources/report.ts'
import { guestSummary, machineView, stepView, treeDetail, treeSummary } from './views.ts'

export interface ApiParts {
  readonly snapshot: () => Snapshot
  /** What decisions for this client rest on. */
  readonly inputs: (req: IncomingMessage) => BootInputs
  readonly requester: (req: IncomingMessage) => Requester
  readonly history: GuestHistory
  readonly isAdmin: (token: string) => boolean
}

/** Everything below `/api/v1` but the lookup, which has a shorter way. */
export function apiRouter(parts: ApiParts): Router {
  const router = Router()
  const { inputs, history } = parts

  router.get('/', (_req, res) => void res.json({ paths: apiPaths }))
  router.get('/trees', (_req, res) => void res.json(parts.snapshot().trees.all.map(treeSummary)))
  router.get(
    '/trees/*id',
    (req, res) => void res.json(treeDetail(treeOf(parts.snapshot(), splat(req.params.id)))),
  )
  router.get('/guests', (_req, res) => {
    const { guests, trees } = parts.snapshot()
    res.json(guests.all.map((guest) => guestSummary(guest, trees, history.stateOf(guest.name))))
  })
  router.get('/guests/:name', (req, res) => {
    const snapshot = parts.snapshot()
    const guest = guestOf(snapshot, req.params.name)
    res.json(guestSummary(guest, snapshot.trees, history.stateOf(guest.name)))
  })
  router.get('/guests/:name/explain', async (req, res) => {
    const { guests, config } = parts.snapshot()
    const { name } = guestOf(parts.snapshot(), req.params.name)
    const own = await handWrittenFor(diskSource(config.paths.tftpboot), { name }, guests)
    res.json(explainBoot({ name }, inputs(req), own))
  })
  router.get('/guests/:name/plan', (req, res) => {
    const as = formatOf(req.query.as)
    const guest = guestOf(parts.snapshot(), req.params.name)
    const seen = inputs(req)
    const options = loaderOptions(parts.requester(req), seen)
    sendPlan(res, renderPlan(planAs(guest, as, seen), as, options), as)
  })
  router.get('/problems', (_req, res) => void res.json(parts.snapshot().problems))
  router.get('/guests/:name/story', async (req, res) => {
    const { name } = guestOf(parts.snapshot(), req.params.name)
    res.json((await history.story(name)).map(stepView))
  })
  router.get('/inbox', async (_req, res) => void res.json((await history.inbox()).map(machineView)))
  const order = (type: 'armed' | 'kept-local') => async (req: Request<{ name: string }>, res: Response) => {
    requireAdmin(req, parts.isAdmin)
    const guest = guestOf(parts.snapshot(), req.params.name)
    res.json(guestSummary(guest, parts.snapshot().trees, await history.order(guest.name, type)))
  }
  router.post('/guests/:name/install', order('armed'))
  router.post('/guests/:name/local', order('kept-local'))
  router.post(
    '/guests/:name/:report{/:token}',
    jsonBody({ limit: '16kb', strict: false }),
    async (req, res) => {
      await history.report(guestOf(parts.snapshot(), req.params.name), reportOf(req))
      res.status(204).end()
    },
  )
  return router
}

const apiPaths = [
  'GET /api/v1/lookup?tree=&distro=&version=&variant=&arch=&guest=&mac=&uuid=&virt=&as=',
  'GET /api/v1/trees',
  'GET /api/v1/trees/<id>',
  'GET /api/v1/guests',
  'GET /api/v1/guests/<name>',
  'GET /api/v1/guests/<name>/explain',
  'GET /api/v1/guests/<name>/plan?as=',
  'GET /api/v1/guests/<name>/story',
  'POST /api/v1/guests/<name>/{installing,progress,installed,failed}[/<token>]?message=',
  'POST /api/v1/guests/<name>/{install,local}  (administrator)',
  'GET /api/v1/inbox',
  'GET /api/v1/problems',
  'GET /api/v1/uploads',
  'PUT /api/v1/uploads/<id>/<path>',
  'POST /api/v1/uploads/<id>/publish?replace=&accept=',
  'DELETE /api/v1/uploads/<id>',
  'POST /api/v1/uploads/tus',
]

function sendPlan(res: Response, text: string, as: Format): void {
  res.set('Content-Type', formatContentType(as)).send(text)
}

function splat(parts: string | string[] | undefined): string {
  return Array.isArray(parts) ? parts.join('/') : (parts ?? '')
}

function treeOf({ trees }: Snapshot, id: string) {
  const tree = trees.byId(id)
  if (!tree) throw new Failure('not-found', `no tree ${id}`)
  return tree
}

function guestOf({ guests }: Snapshot, name: string | string[] | undefined): Guest {
  const guest = guests.byName(splat(name))
  if (!guest) throw new Failure('not-found', `no guest ${splat(name)}; guests are defined in config.yaml`)
  return guest
}

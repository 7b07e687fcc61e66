import type { IncomingMessage } from 'node:http'
import { json as jsonBody, type Request, type Response, Router } from 'express'
import type { Snapshot } from '../catalog/snapshot.ts'
import { explainBoot } from '../core/boot/explain.ts'
import { type BootWorld, planBoot } from '../core/boot/plan-boot.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { EventSink } from '../events/bus.ts'
import { type Format, formatContentType, renderPlan } from '../render/render.ts'
import { formatOf } from './lookup-route.ts'
import { guestSummary, treeDetail, treeSummary } from './views.ts'

export interface ApiParts {
  readonly snapshot: () => Snapshot
  /** What decisions for this client rest on. */
  readonly world: (req: IncomingMessage) => BootWorld
  readonly events: EventSink
}

/** Everything below `/api/v1` but the lookup, which has a shorter way. */
export function apiRouter(parts: ApiParts): Router {
  const router = Router()
  const { world } = parts

  router.get('/', (_req, res) => void res.json({ paths: apiPaths }))
  router.get('/trees', (_req, res) => void res.json(parts.snapshot().trees.all.map(treeSummary)))
  router.get(
    '/trees/*id',
    (req, res) => void res.json(treeDetail(treeOf(parts.snapshot(), splat(req.params.id)))),
  )
  router.get('/guests', (_req, res) => {
    const { guests, trees } = parts.snapshot()
    res.json(guests.all.map((guest) => guestSummary(guest, trees)))
  })
  router.get('/guests/:name', (req, res) => {
    const snapshot = parts.snapshot()
    res.json(guestSummary(guestOf(snapshot, req.params.name), snapshot.trees))
  })
  router.get('/guests/:name/explain', (req, res) => {
    const guest = guestOf(parts.snapshot(), req.params.name)
    res.json(explainBoot({ name: guest.name }, world(req)))
  })
  router.get('/guests/:name/plan', (req, res) => {
    const guest = guestOf(parts.snapshot(), req.params.name)
    sendPlan(
      res,
      renderPlan(planBoot({ name: guest.name }, world(req)), formatOf(req.query.as)),
      formatOf(req.query.as),
    )
  })
  router.get('/problems', (_req, res) => void res.json(parts.snapshot().problems))
  router.post('/guests/:name/:state', jsonBody({ limit: '16kb', strict: false }), (req, res) => {
    const { name } = guestOf(parts.snapshot(), req.params.name)
    parts.events({ type: 'report', guest: name, client: clientOf(req), ...reportOf(req) })
    res.status(204).end()
  })
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
  'POST /api/v1/guests/<name>/installed',
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

const reportStates = ['installing', 'installed', 'failed', 'progress'] as const

/** What a guest says of itself: `POST .../installed`, with a line of detail in the body if it likes. */
function reportOf(req: Request): { state: string; detail?: string } {
  const { state } = req.params
  const known = reportStates.find((each) => each === state)
  if (!known)
    throw new Failure('not-found', `no report ${String(state)}: expected one of ${reportStates.join(', ')}`)
  const detail = (req.body as { detail?: unknown } | undefined)?.detail
  return { state: known, ...(typeof detail === 'string' && { detail: detail.slice(0, 500) }) }
}

function clientOf(req: Request): string {
  return (req.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
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

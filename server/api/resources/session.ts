import { z } from 'zod'
import type { Caller } from '../../core/access/access.ts'
import { requireKnown } from '../actor.ts'
import { sessionCookie, sessionId } from '../caller.ts'
import { setCookie } from '../cookies.ts'
import { setupPage, setupPageHeaders } from '../pages/setup-page.ts'
import { json, needs, route } from '../route.ts'
import { session as sessionSchema } from '../schemas/access.ts'
import { text } from '../schemas/common.ts'

const path = '/api/v1/session'
const credentials = z
  .object({ name: text, password: text })
  .meta({ id: 'Credentials', description: 'of an account' })

/** Signing in and out. A program needs none of it: it has a token. */
export const sessionRoutes = [
  route({
    method: 'POST',
    path,
    operation: 'signIn',
    summary: 'signs in with a name and a password, and sets the cookie of the session',
    access: 'everybody',
    failures: ['forbidden', 'unavailable'],
    body: credentials,
    answers: { 201: json(sessionSchema, { 'Set-Cookie': 'the session' }) },
    async handle({ body, from, req }, { accounts, snapshot }) {
      const { id, csrf, caller } = await accounts.signIn(body.name, body.password, from)
      return {
        status: 201,
        headers: {
          'Set-Cookie': setCookie(req, sessionCookie, id, { proxies: snapshot().config.http.trustedProxies }),
          'Cache-Control': 'no-store',
        },
        json: sessionView(caller, csrf),
      }
    },
  }),
  route({
    method: 'GET',
    path,
    operation: 'getSession',
    summary: 'who sends this request, and what that is worth',
    access: needs('viewer'),
    answers: { 200: json(sessionSchema) },
    async handle({ caller, from, req }, { accounts, snapshot }) {
      const proxies = snapshot().config.http.trustedProxies
      const id = caller?.kind === 'account' ? sessionId(req, proxies) : undefined
      const found = id === undefined ? undefined : await accounts.callerOfSession(id, from)
      const view = sessionView(caller ?? requireKnown({ caller }), found?.csrf)
      return { json: view, headers: { 'Cache-Control': 'no-store' } }
    },
  }),
  route({
    method: 'DELETE',
    path,
    operation: 'signOut',
    summary: 'ends the session',
    access: needs('viewer'),
    answers: { 204: {} },
    async handle({ caller, from, req }, { accounts, snapshot }) {
      const proxies = snapshot().config.http.trustedProxies
      const id = caller?.kind === 'account' ? sessionId(req, proxies) : undefined
      if (id !== undefined) await accounts.signOut(id, from)
      return {
        status: 204,
        headers: {
          'Set-Cookie': setCookie(req, sessionCookie, '', {
            proxies: snapshot().config.http.trustedProxies,
            maxAge: 0,
          }),
        },
      }
    },
  }),
  route({
    method: 'GET',
    path: '/setup',
    access: 'everybody',
    answers: { 200: { type: 'text/html' } },
    async handle(_, { accounts }) {
      await accounts.firstLook()
      return { headers: setupPageHeaders, text: setupPage(await accounts.isSetupOpen()) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/setup',
    operation: 'setUp',
    summary: 'makes the first administrator, by the secret of a set-up link',
    access: 'everybody',
    failures: ['forbidden', 'conflict', 'unavailable'],
    body: z.object({ secret: text, name: text, password: text }).meta({ id: 'SetUp' }),
    answers: { 204: {} },
    async handle({ body: { secret, name, password }, from }, { accounts }) {
      await accounts.useSetupLink(secret, { name, password }, from)
      return { status: 204 }
    },
  }),
] as const

function sessionView({ kind, account, token, role, scopes }: Caller, csrf?: string) {
  return { kind, account, token: token ?? null, role, scopes: scopes ?? null, csrf: csrf ?? null }
}

import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Accounts } from '../../accounts/accounts.ts'
import { hasRole } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { auditKept } from '../../store/accounts.ts'
import { accountJson, auditJson, sessionJson, tokenJson } from '../access-views.ts'
import { actorOf, requireKnown } from '../actor.ts'
import { listQuery, numberedPage, numberedQuery, pageOf, wholeList } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import {
  accountPage,
  account as accountSchema,
  accountSessionPage,
  auditPage,
  newToken,
  role,
  scope,
  tokenPage,
} from '../schemas/access.ts'
import { text, time } from '../schemas/common.ts'

const admin = needs('admin', 'admin')
const path = '/api/v1/accounts'
const one = `${path}/:name`
const params = z.object({ name: z.string() })

export const accountRoutes = [
  route({
    method: 'GET',
    path,
    operation: 'listAccounts',
    summary: 'the accounts of people',
    access: admin,
    query: listQuery(['name', 'role'], { role: role.optional() }),
    answers: { 200: json(accountPage) },
    async handle({ query }, context) {
      const all = (await context.accounts.accounts()).map(accountJson)
      return {
        json: pageOf(all, query, {
          idOf: ({ name }) => name,
          keys: { role: (each) => each.role },
          isWanted: query.role === undefined ? undefined : (each) => each.role === query.role,
        }),
      }
    },
  }),
  route({
    method: 'POST',
    path,
    operation: 'createAccount',
    summary: 'makes an account',
    access: admin,
    failures: ['conflict', 'unavailable'],
    makes: true,
    body: z.object({ name: text, role, password: text }).meta({ id: 'NewAccount' }),
    answers: { 201: json(accountSchema) },
    async handle(call, context) {
      await context.accounts.addAccount(call.body, actorOf(call))
      return { status: 201, json: await accountNamed(call.body.name, context.accounts) }
    },
  }),
  route({
    method: 'GET',
    path: one,
    operation: 'getAccount',
    summary: 'one account',
    access: admin,
    params,
    answers: { 200: json(accountSchema) },
    handle: async (call, context) => ({ json: await accountNamed(call.params.name, context.accounts) }),
  }),
  route({
    method: 'PATCH',
    path: one,
    operation: 'patchAccount',
    summary: 'changes the role or the password of an account, or disables it',
    description:
      'A new password, and `disabled: true`, end the sessions of the account. The last admin stays one.',
    access: admin,
    failures: ['conflict', 'unavailable'],
    params,
    body: z
      .object({
        role: role.optional(),
        password: text.optional(),
        disabled: z.boolean('true or false').optional(),
      })
      .meta({ id: 'AccountChange' }),
    answers: { 200: json(accountSchema) },
    async handle(call, context) {
      const { name } = call.params
      await context.accounts.setAccount(name, defined(call.body), actorOf(call))
      return { json: await accountNamed(name, context.accounts) }
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    operation: 'deleteAccount',
    summary: 'removes an account with its tokens and sessions',
    access: admin,
    failures: ['conflict'],
    params,
    answers: { 204: {} },
    async handle(call, context) {
      await context.accounts.removeAccount(call.params.name, actorOf(call))
      return { status: 204 }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/sessions`,
    operation: 'listSessions',
    summary: 'the sessions of an account that are live',
    access: admin,
    params,
    answers: { 200: json(accountSessionPage) },
    handle: async (call, context) => ({
      json: wholeList((await context.accounts.sessions(call.params.name)).map(sessionJson)),
    }),
  }),
  route({
    method: 'DELETE',
    path: `${one}/sessions{/:reference}`,
    operation: 'deleteSessions',
    summary: 'ends the sessions of an account',
    access: admin,
    params: z.object({ name: z.string(), reference: z.string().optional() }),
    answers: { 204: {} },
    async handle(call, context) {
      const { name, reference } = call.params
      await context.accounts.revokeSessions(name, actorOf(call), reference)
      return { status: 204 }
    },
  }),
] as const

export const tokenRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/tokens',
    operation: 'listTokens',
    summary: 'tokens: those of the caller, and for an admin those of all',
    access: needs('viewer'),
    failures: ['not-found'],
    query: listQuery(['id'], { account: z.string().optional() }),
    answers: { 200: json(tokenPage) },
    async handle(call, context) {
      const { query } = call
      const caller = requireKnown(call)
      const ofAll = hasRole(caller, 'admin') && caller.scopes === undefined
      const of = ofAll ? query.account : caller.account
      const all = (await context.accounts.tokens(of)).map(tokenJson)
      return { json: pageOf(all, query, { idOf: ({ account, name }) => `${account} ${name}` }) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/tokens',
    operation: 'createToken',
    summary: 'makes a token of the caller, which is shown this once',
    description: 'A token is never more than its maker, and ends with him.',
    access: needs('viewer'),
    failures: ['conflict'],
    makes: true,
    body: z
      .object({
        name: text,
        role,
        scopes: z.array(scope).optional().meta({ description: 'what it is narrowed to' }),
        expires: time.optional(),
      })
      .meta({ id: 'NewToken' }),
    answers: { 201: json(newToken) },
    async handle(call, context) {
      const { name, role, scopes, expires } = call.body
      const endsMs = expires === undefined ? undefined : Date.parse(expires)
      const { token, ...made } = await context.accounts.makeToken(
        requireKnown(call),
        { name, role, ...defined({ scopes, expires: endsMs }) },
        actorOf(call),
      )
      return { status: 201, headers: { 'Cache-Control': 'no-store' }, json: { ...tokenJson(made), token } }
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/tokens/:name',
    operation: 'deleteToken',
    summary: 'ends a token of the caller',
    access: needs('viewer'),
    params,
    answers: { 204: {} },
    async handle(call, context) {
      const { name } = call.params
      const { account, token, scopes } = requireKnown(call)
      // What a narrowed token may not do, another token of its account may: it ends none of those.
      if (scopes !== undefined && name !== token)
        throw new Failure('not-found', `${account} has no token ${name} for this token`)
      await context.accounts.revokeToken(account, name, actorOf(call))
      return { status: 204 }
    },
  }),
  route({
    method: 'DELETE',
    path: `${one}/tokens/:token`,
    operation: 'deleteAccountToken',
    summary: 'ends a token of any account',
    access: admin,
    params: z.object({ name: z.string(), token: z.string() }),
    answers: { 204: {} },
    async handle(call, context) {
      await context.accounts.revokeToken(call.params.name, call.params.token, actorOf(call))
      return { status: 204 }
    },
  }),
] as const

export const auditRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/audit',
    operation: 'listAudit',
    summary: 'who changed what, from where, with what it was before and after; the newest first',
    access: admin,
    query: z.object(numberedQuery),
    answers: { 200: json(auditPage) },
    async handle({ query }, { accounts }) {
      const { items, next } = await numberedPage(query, (page) => accounts.audit.list(page))
      return { json: { items: items.map(auditJson), total: await total(accounts), next } }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/audit/export',
    operation: 'exportAudit',
    summary: 'the whole audit as JSON lines, the newest first',
    access: admin,
    answers: { 200: { type: 'application/jsonl' } },
    async handle({ res }, { accounts }) {
      res.writeHead(200, { 'Content-Type': 'application/jsonl; charset=utf-8', 'Cache-Control': 'no-store' })
      for await (const line of accounts.audit.export()) {
        if (res.destroyed) break
        if (!res.write(`${JSON.stringify(auditJson(line))}\n`)) await drained(res)
      }
      res.end()
      return {}
    },
  }),
] as const

/** How many lines there are. Their numbers have no gaps. */
async function total({ audit }: Pick<Accounts, 'audit'>): Promise<number> {
  const [newest] = await audit.list({ limit: 1 })
  return Math.min(newest?.id ?? 0, auditKept)
}

/** Resolves when the client has read what was written, or is gone. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      res.off('drain', end).off('close', end)
      resolve()
    }
    res.once('drain', end).once('close', end)
  })
}

async function accountNamed(name: string, accounts: Accounts) {
  const found = (await accounts.accounts()).find((each) => each.name === name)
  if (!found) throw new Failure('not-found', `no account ${name}; ${path} lists them`)
  return accountJson(found)
}

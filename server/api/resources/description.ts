import { z } from 'zod'
import { lru } from '../../host/lru.ts'
import type { ApiContext } from '../context.ts'
import { type ApiDescription, describeApi } from '../openapi.ts'
import { docsPage } from '../pages/docs-page.ts'
import { json, type Route, route } from '../route.ts'

/** It is the same on every server, and says nothing of this one. */
const access = 'everybody'

/** Nothing of another place, and no script. */
const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

/** The description of the API, for programs and for people. @param all The whole route table. */
export function descriptionRoutes(all: () => readonly Route[]): readonly Route[] {
  const made = lru<string, ApiDescription>(1)
  const describe = ({ version }: ApiContext): ApiDescription => {
    const description = made.get(version) ?? describeApi(all(), version)
    made.set(version, description)
    return description
  }
  return [
    route({
      method: 'GET',
      path: '/api/v1/openapi.json',
      operation: 'getDescription',
      summary: 'the description of this API (OpenAPI 3.1)',
      access,
      answers: { 200: json(z.looseObject({ openapi: z.string() })) },
      handle: (_, context) => ({ json: { ...describe(context) } }),
    }),
    route({
      method: 'GET',
      path: '/api/docs',
      access,
      answers: { 200: { type: 'text/html' } },
      handle: (_, context) => ({ headers: pageHeaders, text: docsPage(describe(context)) }),
    }),
  ]
}

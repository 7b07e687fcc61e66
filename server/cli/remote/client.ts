import { z } from 'zod'
import type {
  ListItem,
  ListName,
  OperationAnswer,
  OperationInput,
  OperationName,
} from '../../api/operations.ts'
import { problemType } from '../../api/problem.ts'
import type { Route } from '../../api/route.ts'
import { routes } from '../../api/routes.ts'
import { problem as problemSchema } from '../../api/schemas/common.ts'
import { defined } from '../../core/defined.ts'
import { Failure, type FailureKind, failureKinds } from '../../core/failure.ts'
import { httpStatus } from '../../core/http-status.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { commandWords } from '../output/command-words.ts'
import { EventReader, type StreamBlock } from './event-reader.ts'
import { unreachable } from './unreachable.ts'

/** A token, and where it was found, for the message that refuses it. */
export interface Credentials {
  readonly token: string
  readonly from: string
}

export interface ClientOptions {
  /** As `serverUrl` makes it. */
  readonly url: string
  readonly credentials?: Credentials | undefined
  /** The headers of a session, in the place of a token. */
  readonly session?: Readonly<Record<string, string>>
}

/** An input of which only the types are known later. */
interface AnyInput {
  readonly params?: Readonly<Record<string, string | undefined>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
}

/** How a stream is read. */
export interface StreamOptions {
  /** The last id that is known; undefined: from now on. */
  readonly after?: string | undefined
  /** A stream that is silent for so long is broken: a comment comes every 15 seconds. */
  readonly silentMs?: number
}

const usualSilentMs = 45_000

/** A list of a million elements comes from a server that sends the same page for ever. */
const mostPages = 1000
const pageSize = 1000
/** Whatever the list is, only these are read of a page. */
const anyPage = z.object({ items: z.array(z.unknown()), next: z.string().nullable() })

/** `nearest` is that of a lookup which finds nothing. */
const problemForm = problemSchema.extend({ nearest: z.array(z.string()).optional() })

/**
 * The API of one server. Input and answers have the types of the route table, and each answer is checked with the schema
 * of its row. It follows no redirect, so a token reaches no other server.
 */
export class ApiClient {
  readonly url: string
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.url = options.url
    this.#options = options
  }

  /**
   * Calls an operation.
   *
   * @throws Failure with the kind, the words and the details of the problem document; `unavailable` for a server that
   *   cannot be reached; `bad-request` for one that is not treeboot.
   */
  async call<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
  ): Promise<OperationAnswer<Name>> {
    return (await this.#call(name, input as AnyInput)) as OperationAnswer<Name>
  }

  /** The same with the headers of the response. */
  async exchange<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
  ): Promise<{ readonly answer: OperationAnswer<Name>; readonly headers: Headers }> {
    const row = rowOf(name)
    const response = await this.#send(row, input as AnyInput)
    const answer = (await this.#answerIn(response, row)) as OperationAnswer<Name>
    return { answer, headers: response.headers }
  }

  /** Uploads a piece of a file, which begins at `from`. */
  async upload(
    path: string,
    { piece, from, total }: { readonly piece: Uint8Array; readonly from: number; readonly total: number },
  ): Promise<void> {
    const row = rowOf('putUpload')
    const range = total === 0 ? {} : { 'Content-Range': `bytes ${from}-${from + piece.length - 1}/${total}` }
    const headers = { ...range, 'Content-Type': 'application/octet-stream' }
    await this.#answerIn(await this.#send(row, { params: { path } }, { headers, body: piece }), row)
  }

  /** The elements of a list, page by page. */
  async *each<Name extends ListName>(
    name: Name,
    input: OperationInput<Name>,
  ): AsyncGenerator<ListItem<Name>, void, undefined> {
    const { query, ...rest } = input as AnyInput
    const keys = Object.keys(rowOf(name).query?.shape ?? {})
    const sized = keys.includes('limit') ? { limit: pageSize, ...query } : query
    let cursor: string | null = null
    for (let pages = 0; pages < mostPages; pages++) {
      const asked: AnyInput = { ...rest, query: { ...sized, ...(cursor !== null && { cursor }) } }
      const { items, next } = anyPage.parse(await this.#call(name, asked))
      yield* items as ListItem<Name>[]
      if (next === null) return
      cursor = next
    }
    throw new Failure('invalid-data', `${this.url} sends pages of ${name} without end`)
  }

  /** All elements of a list. */
  async all<Name extends ListName>(name: Name, input: OperationInput<Name>): Promise<ListItem<Name>[]> {
    const items: ListItem<Name>[] = []
    for await (const item of this.each(name, input)) items.push(item)
    return items
  }

  /**
   * What comes by the stream of events, until the server ends it.
   *
   * @throws Failure as `call` does; `unavailable` for a stream that breaks.
   */
  async *stream(
    query: NonNullable<OperationInput<'streamEvents'>['query']>,
    { after, silentMs = usualSilentMs }: StreamOptions = {},
  ): AsyncGenerator<StreamBlock, void, undefined> {
    const row = rowOf('streamEvents')
    const aborter = new AbortController()
    const silent = new Failure('unavailable', `${this.url} sent nothing for ${Math.round(silentMs / 1000)} s`)
    const timer = setTimeout(() => aborter.abort(silent), silentMs)
    try {
      const headers = after === undefined ? {} : { 'Last-Event-ID': after }
      const response = await this.#send(row, { query }, { headers, signal: aborter.signal })
      const { body, status } = response
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
      if (status !== 200 || !isStream || !body) {
        await this.#answerIn(response, row)
        throw this.#notTreeboot(response)
      }
      const reader = new EventReader()
      for await (const piece of body) {
        timer.refresh()
        yield* reader.push(piece)
      }
    } catch (error) {
      if (aborter.signal.aborted) throw silent
      throw error instanceof Failure ? error : unreachable(this.url, error)
    } finally {
      clearTimeout(timer)
      aborter.abort()
    }
  }

  async #call(name: OperationName, input: AnyInput): Promise<unknown> {
    const row = rowOf(name)
    return this.#answerIn(await this.#send(row, input), row)
  }

  /** Sends a request, and reads no more than the head of its response. */
  async #send(
    row: Route,
    { params = {}, query, body, ifMatch, ifNoneMatch }: AnyInput,
    more: Pick<RequestInit, 'signal' | 'body'> & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Response> {
    const { credentials, session } = this.#options
    const url = `${this.url}${pathOf(row.path, params)}${queryText(query)}`
    try {
      return await fetch(url, {
        method: row.method,
        redirect: 'manual',
        headers: {
          Accept: 'application/json, */*',
          ...(credentials && { Authorization: `Bearer ${credentials.token}` }),
          ...(body !== undefined && { 'Content-Type': row.bodyTypes?.[0] ?? 'application/json' }),
          ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
          ...(ifNoneMatch !== undefined && { 'If-None-Match': ifNoneMatch }),
          ...session,
          ...more.headers,
        },
        ...(more.signal && { signal: more.signal }),
        ...(more.body && { body: more.body }),
        ...(body !== undefined && { body: bodyText(body, row) }),
      })
    } catch (error) {
      throw unreachable(this.url, error)
    }
  }

  async #answerIn(response: Response, row: Route): Promise<unknown> {
    const { status, headers } = response
    if (status >= 300 && status < 400) {
      const to = headers.get('location') ?? 'elsewhere'
      throw new Failure('bad-request', `${this.url} sends its clients to ${to}; name that server`)
    }
    const text = await this.#text(response)
    if (status >= 400) throw this.#failure(response, text)
    const answer = row.answers[status]
    if (!answer) throw this.#notTreeboot(response)
    if (!answer.schema) return answer.type === undefined ? undefined : text
    const value = jsonIn(text)
    // What is read is handed on as it came: a newer server may say more than we know.
    if (!answer.schema.safeParse(value).success) throw this.#notTreeboot(response)
    return value
  }

  async #text({ body }: Response): Promise<string> {
    const { bytes: most } = upstreamLimits.apiResponse
    const pieces: Uint8Array[] = []
    let length = 0
    try {
      for await (const piece of body ?? []) {
        length += piece.length
        if (length > most) break
        pieces.push(piece)
      }
    } catch (error) {
      throw unreachable(this.url, error)
    }
    if (length > most)
      throw new Failure('too-large', `${this.url} answers with more than ${most} bytes, which are not read`)
    return Buffer.concat(pieces).toString('utf8')
  }

  #failure(response: Response, text: string): Failure {
    const { headers, status } = response
    const isProblem = headers.get('content-type')?.startsWith(problemType) === true
    // The answer to HEAD has no words.
    if (isProblem && text === '')
      return new Failure(kindOfStatus(status), `${this.url} answers with ${status}`)
    const { data } = isProblem ? problemForm.safeParse(jsonIn(text)) : {}
    if (!data) return this.#notTreeboot(response)
    const { error, detail, errors = [], nearest = [] } = data
    const kind = failureKinds.find((each) => each === error) ?? kindOfStatus(status)
    const details = errors.map(({ field, expected, found, where }) => ({
      field,
      expected,
      ...defined({ found, where }),
    }))
    const near = nearest.length > 0 ? `; nearest: ${nearest.join(', ')}` : ''
    return new Failure(kind, `${commandWords(detail)}${near}${this.#remedy(kind)}`, { details })
  }

  /** What a person can do who is not known there. */
  #remedy(kind: FailureKind): string {
    if (kind !== 'unauthenticated') return ''
    const { credentials, session } = this.#options
    if (session) return ''
    const how = `"treeboot login ${this.url}" makes one`
    return credentials ? `; it is the token of ${credentials.from}: ${how}` : `; for the command line, ${how}`
  }

  #notTreeboot({ status, headers }: Response): Failure {
    const type = headers.get('content-type') ?? 'no content type'
    return new Failure(
      'bad-request',
      `${this.url} does not answer as treeboot does (status ${status}, ${type}); expected the URL of a treeboot server, such as http://mirror:8080`,
    )
  }
}

const rows = new Map(routes.map((each) => [each.operation, each]))

function rowOf(name: OperationName): Route {
  const row = rows.get(name)
  if (!row) throw new Failure('internal', `no operation ${name} in the route table`)
  return row
}

/** What the paths of the API have behind a name with slashes: `history` of `/api/v1/templates/*name/history`. */
const wordsBehindNames = new Set(
  routes.flatMap(({ path }) => {
    const [, ...behind] = path.split(/\*\w+/)
    return behind.flatMap((rest) => rest.split('/')).filter((word) => /^[\w-]+$/.test(word))
  }),
)

/** `/api/v1/trees/*id` with the values of its parameters; `{...}` goes when its value is missing. */
function pathOf(pattern: string, params: NonNullable<AnyInput['params']>): string {
  return pattern
    .replace(/\{([^}]*:(\w+)[^}]*)\}/g, (_, inner: string, name: string) =>
      params[name] === undefined ? '' : inner,
    )
    .replace(/([:*])(\w+)/g, (_, mark: string, name: string) => {
      const value = params[name] ?? ''
      const segments = mark === '*' ? value.split('/') : [value]
      // URLs take these away, and another resource would be asked for.
      if (segments.some((each) => each === '' || each === '.' || each === '..'))
        throw new Failure('bad-request', `${JSON.stringify(value)} cannot be a name`)
      // A tree or template that is called `x/history` would be taken for the history of `x`.
      const isAmbiguous = segments.slice(1).some((each) => wordsBehindNames.has(each))
      return segments.map(encodeURIComponent).join(isAmbiguous ? '%2F' : '/')
    })
}

/** A text that is no JSON goes as it is. */
function bodyText(body: unknown, { bodyTypes: [type = ''] = [] }: Route): string {
  return typeof body === 'string' && type.startsWith('text/') ? body : JSON.stringify(body)
}

function queryText(query: AnyInput['query'] = {}): string {
  const pairs = Object.entries(query).flatMap(([key, value]): [string, string][] =>
    [value].flat().flatMap((each) => (each === undefined ? [] : [[key, String(each)]])),
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

/** Undefined for what is no JSON. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function kindOfStatus(status: number): FailureKind {
  return failureKinds.find((kind) => httpStatus[kind].api === status) ?? 'internal'
}

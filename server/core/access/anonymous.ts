/**
 * What everybody may ask for without credentials, and nothing else: what firmware, boot loaders, installers and monitoring
 * fetch, and what leads to a sign-in. No rule about Host, Origin or HTTPS touches it, because firmware sends no Host, an
 * address, or HTTP/1.0. The route table, its tests and docs/security.md have it from here.
 */
export interface OpenPath {
  /** `GET /healthz`, as the route table writes paths; or what is below a path of the namespace: `/trees`. */
  readonly path: string
  readonly what: string
}

/** Rows of the route table. */
export const openRoutes = [
  { path: 'GET /', what: 'the mirror page: the trees' },
  { path: 'GET /api/v1/lookup', what: 'kernel, initrd and arguments of a tree or a guest' },
  { path: 'POST /api/v1/guests/:name/:report{/:token}', what: "an installer's report" },
  { path: 'GET /api/docs', what: 'the description of the API, as a page' },
  { path: 'GET /api/v1/openapi.json', what: 'the description of the API, for programs' },
  { path: 'GET /api/v1/keys', what: 'the public keys by which trees are verified' },
  { path: 'GET /healthz', what: 'whether the server runs' },
  { path: 'GET /readyz', what: 'whether installations can begin, in one word' },
  { path: 'POST /api/v1/session', what: 'signing in' },
  { path: 'GET /api/v1/session/oidc', what: 'signing in by an OpenID provider' },
  { path: 'GET /api/v1/session/oidc/callback', what: 'where that provider sends the browser back' },
  { path: 'GET /setup', what: 'the page that a setup link opens' },
  { path: 'POST /api/v1/setup', what: 'the first administrator, with a link that works once' },
] as const satisfies readonly OpenPath[]

/** What the namespace has: none of it lists guests. */
export const openFiles: readonly OpenPath[] = [
  { path: '/trees', what: 'the files of trees' },
  { path: '/ks', what: 'answer files' },
  { path: '/boot', what: 'what a guest boots, by its name or its MAC' },
  { path: '/boot.ipxe', what: 'the script that every iPXE asks for' },
  { path: '/', what: 'boot loaders, and every name by which they ask for their configuration' },
]

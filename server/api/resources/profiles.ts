import { z } from 'zod'
import type { YamlMapping } from '../../config/yaml.ts'
import type { Need } from '../../core/access/access.ts'
import { Failure } from '../../core/failure.ts'
import type { Profile } from '../../core/guest/guest.ts'
import { selectorLine } from '../../core/guest/selectors.ts'
import type { Definition } from '../../definitions/definitions.ts'
import type { ApiContext } from '../context.ts'
import type { WantedChange } from '../definition-resource.ts'
import { settingViews, shownData } from '../definition-views.ts'
import { orderNeed } from '../first-boot.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { mirror, mirrorPage, profilePage, profileSummary, settingPage } from '../schemas/definitions.ts'
import { timeText } from '../views.ts'
import { definitionRoutes } from './definitions.ts'

const profileReads = needs('viewer', 'guests:read')
const profileWrites = needs('operator', 'guests:write')

/** Profiles: settings that guests inherit. */
export const profileRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/profiles',
    operation: 'listProfiles',
    summary: 'the profiles, what each inherits, and how many guests have it',
    access: profileReads,
    query: listQuery(['name', 'guests'], { q: z.string().optional() }),
    answers: { 200: json(profilePage) },
    async handle({ query }, context) {
      const all = (await context.definitions.list('profile')).map((each) => profileView(each, context))
      const q = query.q?.toLowerCase()
      return {
        json: pageOf(all, query, {
          idOf: ({ name }) => name,
          keys: { guests: ({ guests }) => guests },
          isWanted: q === undefined ? undefined : ({ name }) => name.toLowerCase().includes(q),
        }),
      }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/profiles/:name',
    operation: 'getProfile',
    summary: 'one profile',
    access: profileReads,
    params: z.object({ name: z.string() }),
    answers: { 200: json(profileSummary) },
    async handle({ params: { name } }, context) {
      return { json: profileView(await context.definitions.read('profile', name), context) }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/profiles/:name/settings',
    operation: 'getProfileSettings',
    summary: 'every value of the profile with all that it inherits, and where each was said',
    access: profileReads,
    params: z.object({ name: z.string() }),
    answers: { 200: json(settingPage) },
    handle({ params: { name } }, { snapshot }) {
      const found = snapshot().profiles.get(name)
      if (!found) throw new Failure('not-found', `no profile ${name}; /api/v1/profiles lists them`)
      return { json: wholeList(settingViews(found.settings)) }
    },
  }),
  ...definitionRoutes({
    kind: 'profile',
    word: 'Profile',
    reads: profileReads,
    writes: profileWrites,
    isNamed: true,
    beforeRename: async () => undefined,
    alsoNeeds: needsOrder,
  }),
] as const

/** A profile with `auto: install` orders installations, of machines that nobody has named. */
function needsOrder({ before, after }: WantedChange): Need | undefined {
  const selection = (data: YamlMapping = {}): string =>
    data.auto === 'install' ? JSON.stringify([data.match, data['auto-limit']]) : ''
  const wanted = selection(after)
  return wanted !== '' && wanted !== selection(before) ? orderNeed : undefined
}

function profileView({ name, where, readOnly, data }: Definition, { snapshot }: ApiContext) {
  const { profiles, guests } = snapshot()
  const profile: Profile | undefined = profiles.get(name)
  return {
    name,
    where,
    definedAt: profile?.definedAt ?? where,
    inherits: profile?.inherits ?? [],
    guests: guests.all.filter((guest) => guest.profiles.includes(name)).length,
    selects: profile?.selector
      ? { auto: profile.selector.auto, machines: selectorLine(profile.selector) }
      : null,
    readOnly: readOnly ?? null,
    data: shownData(data),
  }
}

const mirrorReads = needs('viewer')
const mirrorWrites = needs('operator')

/** Mirrors: trees that are fetched from elsewhere. */
export const mirrorRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/mirrors',
    operation: 'listMirrors',
    summary: 'the mirrors, as they are defined',
    access: mirrorReads,
    query: listQuery(['id'], {}),
    answers: { 200: json(mirrorPage) },
    async handle({ query }, context) {
      const all = (await context.definitions.list('mirror')).map((each) => mirrorView(each, context))
      return { json: pageOf(all, query, { idOf: ({ id }) => id }) }
    },
  }),
  ...definitionRoutes({ kind: 'mirror', word: 'Mirror', reads: mirrorReads, writes: mirrorWrites }),
  // Behind the rows of definitions, whose paths it would match.
  route({
    method: 'GET',
    path: '/api/v1/mirrors/*name',
    operation: 'getMirror',
    summary: 'one mirror',
    access: mirrorReads,
    params: z.object({ name: segments }),
    answers: { 200: json(mirror) },
    handle: async ({ params: { name } }, context) => ({
      json: mirrorView(await context.definitions.read('mirror', name), context),
    }),
  }),
] as const

function mirrorView({ name, where, readOnly, data }: Definition, { mirrors, jobs, snapshot }: ApiContext) {
  const run = mirrors.lastRun(name)
  const mirror = snapshot().config.mirrors.find(({ id }) => id === name)
  const due = mirror && mirrors.dueMs(mirror)
  return {
    id: name,
    where,
    readOnly: readOnly ?? null,
    data: shownData(data),
    lastRun: run
      ? {
          at: timeText(run.atMs),
          outcome: run.outcome ?? (run.failed ? ('failed' as const) : ('published' as const)),
          lines: run.lines ?? [],
        }
      : null,
    // One that never ran is due at once.
    next: due === undefined ? null : timeText(Math.max(due, Date.now())),
    job: jobs.openJob({ kind: 'mirror', mirror: name })?.number ?? null,
  }
}

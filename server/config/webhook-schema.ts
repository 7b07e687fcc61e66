import { resolve } from 'node:path'
import { z } from 'zod'
import { feedTypes } from '../core/feed-types.ts'
import type { WebhookConfig } from './schema.ts'
import { flag, line, oneOf, oneOrMore, section } from './schema-parts.ts'

const webhookUrlText = 'a URL of http or https without user and password'
const webhookUrl = line(webhookUrlText).refine((value) => {
  if (!URL.canParse(value)) return false
  const { protocol, username, password, hash } = new URL(value)
  return ['http:', 'https:'].includes(protocol) && username + password + hash === ''
}, webhookUrlText)
const secretText = 'a text of at least 16 characters, or a mapping with file or env'
const variableText = 'the name of a variable of the environment'
const webhookSecret = z.union(
  [
    line(secretText)
      .refine((value) => value.length >= 16, secretText)
      .transform((value) => ({ text: value })),
    section({
      file: line('the path of a file with the secret').refine(
        (path) => !path.startsWith('~'),
        'a path without ~, which only a shell expands',
      ),
    }),
    section({ env: line(variableText).refine((value) => /^[A-Za-z_]\w{0,99}$/.test(value), variableText) }),
  ],
  { error: secretText },
)
const webhook = section({
  url: webhookUrl,
  kinds: oneOrMore(oneOf(feedTypes), `a list of ${feedTypes.join(', ')}`).optional(),
  secret: webhookSecret,
  'allow-private': flag.optional(),
})
const mostWebhooks = 20
const webhooksText = `a list of at most ${mostWebhooks} webhooks, each with url and secret, and each URL once`
/** The section `webhooks`. */
export const webhooks = z
  .array(webhook, webhooksText)
  .max(mostWebhooks, webhooksText)
  .refine((all) => new Set(all.map(({ url }) => new URL(url).href)).size === all.length, webhooksText)

export function webhookSettings(
  { url, kinds = [...feedTypes], secret, 'allow-private': allowPrivate = false }: z.output<typeof webhook>,
  baseFolder: string,
): WebhookConfig {
  const found = 'file' in secret ? { file: resolve(baseFolder, secret.file) } : secret
  return { url: new URL(url).href, kinds, secret: found, allowPrivate }
}

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { WebhookConfig } from '../config/schema.ts'
import { Failure } from '../core/failure.ts'

/** Names a webhook in the store. The URL itself may hold a secret. */
export function webhookId({ url }: Pick<WebhookConfig, 'url'>): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 16)
}

const longestShown = 15

/** A URL for people. Many receivers know their senders by a long word in the path or in the query: those are starred. */
export function shownUrl(text: string): string {
  const { protocol, host, pathname, search } = new URL(text)
  const path = pathname
    .split('/')
    .map((part) => (part.length > longestShown ? '***' : part))
    .join('/')
  return `${protocol}//${host}${path}${search === '' ? '' : '?***'}`
}

const shortest = 16

/**
 * The secret of a webhook, as it is now: a file may have another one since the last delivery.
 *
 * @throws Failure which says where it should be.
 */
export async function secretOf({ secret }: Pick<WebhookConfig, 'secret'>): Promise<string> {
  const found = 'text' in secret ? secret.text : await elsewhere(secret)
  if (found.length >= shortest) return found
  throw new Failure('invalid-data', `the secret has less than ${shortest} characters`)
}

async function elsewhere(secret: Exclude<WebhookConfig['secret'], { text: string }>): Promise<string> {
  if ('env' in secret) {
    const value = process.env[secret.env]
    if (value !== undefined) return value.trim()
    throw new Failure('not-found', `the variable ${secret.env} with the secret is not set`)
  }
  try {
    return (await readFile(secret.file, 'utf8')).trim()
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new Failure('not-found', `the file with the secret cannot be read: ${code}`, { cause: error })
  }
}

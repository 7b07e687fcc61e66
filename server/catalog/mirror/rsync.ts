import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Failure } from '../../core/failure.ts'
import type { ImportOptions } from '../import/import-tree.ts'

/**
 * Everything that may be said to rsync; the URL comes after `--` and is checked, so that no part of it can be an
 * option. Links that lead out are left out, and so are devices; half files are kept aside for the next run.
 */
const options = [
  '--recursive',
  '--times',
  '--links',
  '--safe-links',
  '--partial-dir=.rsync-partial',
  '--delay-updates',
  '--delete-delay',
  '--chmod=Du=rwx,Dgo=rx,Fu=rw,Fgo=r',
  '--timeout=120',
  '--info=progress2',
  '--no-human-readable',
] as const

/** Fetches a tree with the program `rsync`. @throws Failure with rsync's own words. */
export async function rsyncTree(
  url: string,
  folder: string,
  { onProgress, signal }: ImportOptions,
): Promise<void> {
  if (!/^rsync:\/\/[A-Za-z0-9.[\]:-]+\/[^\s\0\\`$;|&<>"'*?]*$/i.test(url))
    throw new Failure(
      'bad-request',
      `${url} is no rsync URL that is passed on; expected rsync://host/module/path/`,
    )
  const from = url.endsWith('/') ? url : `${url}/`
  const child = spawn('rsync', [...options, '--', from, `${folder}/`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = `${said}${text}`.slice(-1000)
  })
  child.stdout.on('data', (text: Buffer) => {
    const [, bytes = '', percent = ''] = /(\d+)\s+(\d+)%[^\r]*$/.exec(text.toString()) ?? []
    if (bytes === '' || !onProgress) return
    const doneBytes = Number(bytes)
    const totalBytes = Number(percent) > 0 ? Math.round((doneBytes * 100) / Number(percent)) : undefined
    onProgress({ stage: 'fetching', doneBytes, ...(totalBytes !== undefined && { totalBytes }) })
  })
  const [code] = (await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new Failure('unsupported', 'rsync is not installed (package rsync)')
  })) as [number | null]
  if (code !== 0) throw new Failure('unavailable', `rsync of ${url} ended with code ${code}: ${said.trim()}`)
}

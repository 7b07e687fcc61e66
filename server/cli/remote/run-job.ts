import { Option } from 'commander'
import type { OperationInput } from '../../api/operations.ts'
import type { JobBody } from '../../api/types.ts'
import { Failure, failureKinds } from '../../core/failure.ts'
import type { CommonOptions } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import type { ProgressMode } from '../output/progress.ts'
import type { SignatureOptions } from '../output/signatures.ts'
import type { ApiClient } from './client.ts'
import { serverVariable } from './connect.ts'
import { followJob } from './follow-job.ts'

/** Work of a server that takes minutes: it is started there, and followed here. */

export interface JobOptions extends CommonOptions {
  readonly detach?: boolean
}

export function detachOption(): Option {
  return new Option('--detach', 'at a server: print the number of the job, and do not wait for its end')
}

/** @throws Failure `bad-request` for work of this process, which ends with it. */
export function refuseDetach({ detach }: JobOptions): void {
  if (detach) throw new Failure('bad-request', '--detach is for work of a server: name it with --server')
}

interface Run {
  readonly options: JobOptions
  readonly io: CliIo
  readonly mode: ProgressMode
}

export type NewJob = OperationInput<'createJob'>['body']

/**
 * Starts a job and follows it to its end. One that does the same already is followed, too. Undefined when nobody waits for
 * its end: with `--detach`, and after Ctrl-C, which says how to go on.
 */
export async function runJob(server: ApiClient, request: NewJob, run: Run): Promise<JobBody | undefined> {
  const { options, io } = run
  const number = await started(server, request, io)
  if (options.detach) {
    io.out(options.json ? `${JSON.stringify({ event: 'job', number })}\n` : `${number}\n`)
    io.err(`job ${number} runs in the server; follow it: ${jobCommand('watch', number, server, io)}\n`)
    return undefined
  }
  return followed(server, number, run)
}

/** Follows a job until it ends or Ctrl-C is pressed, which leaves it running. */
export async function followed(
  server: ApiClient,
  number: number,
  { io, mode }: Run,
): Promise<JobBody | undefined> {
  const aborter = new AbortController()
  const interrupt = (): void => aborter.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    return await followJob(server, number, { io, mode, signal: aborter.signal })
  } catch (error) {
    if (!aborter.signal.aborted) throw error
    io.err(
      `\njob ${number} goes on in the server\n  follow it: ${jobCommand('watch', number, server, io)}\n  end it:    ${jobCommand('cancel', number, server, io)}\n`,
    )
    io.exit(exitCodes.failed)
    return undefined
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

async function started(server: ApiClient, request: NewJob, io: CliIo): Promise<number> {
  try {
    return (await server.call('createJob', { body: request })).number
  } catch (error) {
    const same = error instanceof Failure && error.kind === 'conflict' ? sameJob(error) : undefined
    if (same === undefined) throw error
    io.err(`job ${same} does this already\n`)
    return same
  }
}

function sameJob({ details }: Failure): number | undefined {
  for (const { field, found } of details) {
    const [, number] = /^\/api\/v1\/jobs\/(\d{1,15})$/.exec(field) ?? []
    // A paused one would be waited for in vain.
    if (number !== undefined && found !== 'paused') return Number(number)
  }
  return undefined
}

/** The command that does something to a job, as a person would type it. */
export function jobCommand(
  verb: string,
  number: number,
  { url }: ApiClient,
  { environment = {} }: CliIo,
): string {
  const named = environment[serverVariable]?.replace(/\/+$/, '') === url ? '' : ` --server ${url}`
  return `treeboot jobs ${verb} ${number}${named}`
}

/** Why a job that has ended did not do what it was to do. */
export function failureOfJob({ number, state, problem }: JobBody): Failure {
  if (!problem) return new Failure('conflict', `job ${number} is ${state}`)
  const kind = failureKinds.find((each) => each === problem.error) ?? 'internal'
  return new Failure(kind, problem.detail)
}

/** @throws Failure `unsupported` for options that only commands beside the server have. */
export function refuseKeys({ key, requireSignature }: SignatureOptions): void {
  if (key !== undefined || requireSignature !== undefined)
    throw new Failure(
      'unsupported',
      '--key and --require-signature are for trees of this machine: a server checks signatures as "verify:" of its configuration says',
    )
}

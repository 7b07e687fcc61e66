import { type Command, Option } from 'commander'
import { selectForGuest } from '../../core/boot/plan-boot.ts'
import { Failure } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import { bootInputs } from '../../machines/decide.ts'
import { createNamespace } from '../../namespace/namespace.ts'
import { loaderOptions, planAs } from '../../namespace/render-boot.ts'
import { formats, isFormat, renderPlan } from '../../render/render.ts'
import { cliNamespaceParts } from '../answers.ts'
import { cliRequester } from '../cli-requester.ts'
import { guestNamed, readStoredStates } from '../guest-store.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
  warnIfUnverified,
} from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { withRenderer } from '../with-renderer.ts'

interface RenderOptions extends CommonOptions, VerifyOption {
  readonly as: string
  readonly url?: string
  readonly withSecrets?: boolean
}

/**
 * The value of `--as` for the answer file. It is read from the namespace, so it has the bytes that a service
 * sends.
 */
const answerFile = 'kickstart'

export function registerRender(program: Command, io: CliIo): void {
  program
    .command('render')
    .description(
      'print a text exactly as a guest would get it: its answer file, or its boot plan in any format',
    )
    .argument('<guest>', 'the name of a guest')
    .addOption(
      new Option(
        '--as <format>',
        `${answerFile} is the answer file, also for installers with another name for it`,
      )
        .choices([answerFile, ...formats])
        .default(answerFile),
    )
    .option('--url <url>', 'the URL by which the guest reaches treeboot (default: its first address)')
    .option(
      '--with-secrets',
      'at a server: show them in an answer file, which needs a token with the scope answers:reveal; beside the files they are always shown',
    )
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (guest: string, options: RenderOptions) => {
      const server = await serverOf(options, io)
      await (server ? renderThere(guest, server, { options, io }) : render(guest, options, io))
    })
}

/** The server makes URLs of the name by which it is asked, or of `server.url`. */
async function renderThere(
  name: string,
  server: ApiClient,
  { options, io }: { readonly options: RenderOptions; readonly io: CliIo },
): Promise<void> {
  const { as, withSecrets } = options
  if (options.url !== undefined)
    throw new Failure('unsupported', '--url is for files beside the server: name the server by that URL')
  const params = { name }
  const reveal = withSecrets ? { reveal: '1' } : {}
  const { answer, headers } = isFormat(as)
    ? await server.exchange('getPlan', { params, query: { as } })
    : await server.exchange('getAnswer', { params, query: reveal })
  io.out(options.json ? json({ guest: name, as, text: answer }) : answer)
  if (headers.get('treeboot-starred') !== '?1') return
  const how = isFormat(as)
    ? 'a server shows none in a boot plan'
    : '--with-secrets shows them, with a token that has the scope answers:reveal'
  io.err(`note: secrets are starred; ${how}\n`)
}

async function render(name: string, options: RenderOptions, io: CliIo): Promise<void> {
  const { snapshot, ...past } = await readStoredStates(await readSnapshot(options, io), io)
  const guest = guestNamed(snapshot, name)
  const selection = selectForGuest(guest, snapshot.trees, past.stateOf(name))
  if (selection.found) warnIfUnverified(selection.tree, io)
  const who = {
    ...cliRequester(snapshot.config),
    ...(options.url !== undefined && { host: hostIn(options.url) }),
  }
  const print = (text: string): void =>
    io.out(options.json ? json({ guest: name, as: options.as, text }) : text)
  const onWarnings = (_: unknown, warnings: readonly string[]): void => {
    // Whoever asks for a boot plan has not asked for the answer file, which is only tried out for it.
    if (!isFormat(options.as)) for (const warning of warnings) io.err(`warning: ${warning}\n`)
  }
  await withRenderer(io, async (renderer) => {
    const parts = cliNamespaceParts(snapshot, { renderer, ...past, onWarnings })
    if (isFormat(options.as)) {
      const asked = bootInputs({ ...parts, snapshot, services: parts.services(), who })
      const inputs = await parts.answers.inputsFor(asked, { guest, who, snapshot })
      return print(renderPlan(planAs(guest, options.as, inputs), options.as, loaderOptions(who, inputs)))
    }
    const entry = await createNamespace(parts).stat(cleanPath(`/ks/${name}`), who)
    if (!entry) {
      throw new Failure(
        'not-found',
        `guest ${name} has no answer file: give it or its profile a "template:" (${guest.definedAt})`,
      )
    }
    print((await readWhole(entry)).toString('utf8'))
  })
}

function hostIn(url: string): string {
  if (!URL.canParse(url)) {
    throw new Failure('bad-request', `--url ${url}: expected a URL such as http://mirror.example:8080`)
  }
  return new URL(url).host
}

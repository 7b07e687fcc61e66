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
import { withRenderer } from '../with-renderer.ts'

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
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action((guest: string, options: CommonOptions & VerifyOption & { as: string; url?: string }) =>
      render(guest, options, io),
    )
}

async function render(
  name: string,
  options: CommonOptions & VerifyOption & { as: string; url?: string },
  io: CliIo,
): Promise<void> {
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

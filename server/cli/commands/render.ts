import { type Command, Option } from 'commander'
import { selectForGuest } from '../../core/boot/plan-boot.ts'
import { Failure } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import { bootInputs } from '../../machines/decide.ts'
import { noMachines } from '../../machines/machines.ts'
import { createNamespace } from '../../namespace/namespace.ts'
import { loaderOptions, planAs } from '../../namespace/render-boot.ts'
import { formats, isFormat, renderPlan } from '../../render/render.ts'
import { cliRequester, expectedServices } from '../cli-requester.ts'
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
  const { snapshot, stateOf, reportToken } = await readStoredStates(await readSnapshot(options, io), io)
  const guest = guestNamed(snapshot, name)
  const selection = selectForGuest(guest, snapshot.trees, stateOf(name))
  if (selection.found) warnIfUnverified(selection.tree, io)
  const services = expectedServices(snapshot.config)
  const machines = { ...noMachines, stateOf, reportToken }
  const who = {
    ...cliRequester(snapshot.config),
    ...(options.url !== undefined && { host: hostIn(options.url) }),
  }
  const print = (text: string): void =>
    io.out(options.json ? json({ guest: name, as: options.as, text }) : text)
  if (isFormat(options.as)) {
    const inputs = bootInputs({ snapshot, services, who, machines })
    return print(renderPlan(planAs(guest, options.as, inputs), options.as, loaderOptions(who, inputs)))
  }
  const warn = (_: unknown, warnings: readonly string[]): void => {
    for (const warning of warnings) io.err(`warning: ${warning}\n`)
  }
  await withRenderer(io, async (renderer) => {
    const namespace = createNamespace({
      snapshot: () => snapshot,
      services: () => services,
      renderer,
      onWarnings: warn,
      machines,
    })
    const entry = await namespace.stat(cleanPath(`/ks/${name}`), who)
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

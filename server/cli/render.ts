import { type Command, Option } from 'commander'
import { planBoot } from '../core/boot/plan-boot.ts'
import { Failure } from '../core/failure.ts'
import { cleanPath } from '../files/path.ts'
import { readWhole } from '../files/read-whole.ts'
import { worldFor } from '../publish/loader-plan.ts'
import { createNamespace } from '../publish/namespace.ts'
import { formats, isFormat, renderPlan } from '../render/render.ts'
import { TemplateRenderer } from '../templates/renderer.ts'
import type { CliIo } from './io.ts'
import { type CommonOptions, configOption, oneShot } from './options.ts'
import { expectedDoors, localRequester } from './standpoint.ts'

/** What the installer gets; read from the namespace, so these are the very bytes that a door would carry. */
const answers = 'kickstart'

export function registerRender(program: Command, io: CliIo): void {
  program
    .command('render')
    .description('exactly the text that a guest would get')
    .argument('<guest>', 'name of a guest')
    .addOption(
      new Option('--as <format>', `${answers}: its answer file, whatever the installer calls it`)
        .choices([answers, ...formats])
        .default(answers),
    )
    .option('--url <url>', 'as if the guest reached us by this URL, instead of by our first address')
    .addOption(configOption())
    .action((guest: string, options: CommonOptions & { as: string; url?: string }) =>
      render(guest, options, io),
    )
}

async function render(
  name: string,
  options: CommonOptions & { as: string; url?: string },
  io: CliIo,
): Promise<void> {
  const snapshot = await oneShot(options, io)
  const guest = snapshot.guests.byName(name)
  if (!guest) {
    const known = snapshot.guests.all.map((each) => each.name).join(', ') || 'none yet'
    throw new Failure('not-found', `no guest ${name}; guests: ${known}`)
  }
  const doors = expectedDoors(snapshot.config)
  const who =
    options.url === undefined ? localRequester() : { ...localRequester(), host: new URL(options.url).host }
  if (isFormat(options.as)) {
    io.out(renderPlan(planBoot({ name }, worldFor(snapshot, doors, who)), options.as))
    return
  }
  const renderer = new TemplateRenderer()
  try {
    const warn = (_: unknown, warnings: readonly string[]): void => {
      for (const warning of warnings) io.err(`warning: ${warning}\n`)
    }
    const namespace = createNamespace({
      snapshot: () => snapshot,
      doors: () => doors,
      renderer,
      onWarnings: warn,
    })
    const entry = await namespace.stat(cleanPath(`/ks/${name}`), who)
    if (!entry) {
      throw new Failure(
        'not-found',
        `guest ${name} has no answer file: give it or its profile a "template:" (${guest.definedAt})`,
      )
    }
    io.out((await readWhole(entry)).toString('utf8'))
  } finally {
    await renderer.close()
  }
}

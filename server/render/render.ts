import type { BootPlan, InstallPlan } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import { loaders } from '../core/loader/loaders.ts'
import { renderEnv } from './env.ts'
import { renderGrub } from './grub.ts'
import { renderIpxe } from './ipxe.ts'
import { renderJson } from './json.ts'
import { renderLibvirt } from './libvirt.ts'
import type { RenderOptions } from './options.ts'
import { renderPxelinux } from './pxelinux.ts'
import { renderQemu } from './qemu.ts'
import { renderVirtInstall } from './virt-install.ts'
import { renderXl } from './xl.ts'

interface FormatRecord {
  readonly render: (plan: BootPlan, options: RenderOptions) => string
  /** The name of the file below `/boot/<guest>/`. */
  readonly bootFile: string
  /** Content type of HTTP responses; plain text unless given. */
  readonly contentType?: string
  /** Whether boot loaders read it: each machine asks for its own file. */
  readonly forLoaders?: true
}

/** Everything that a plan can be written as, by the names of `as=` and `--as`. */
const records = {
  json: {
    render: renderJson,
    bootFile: 'json',
    contentType: 'application/json; charset=utf-8',
  },
  env: { render: renderEnv, bootFile: 'env' },
  'virt-install': { render: installOnly(renderVirtInstall), bootFile: 'virt-install.sh' },
  libvirt: {
    render: installOnly(renderLibvirt),
    bootFile: 'libvirt.xml',
    contentType: 'application/xml; charset=utf-8',
  },
  xl: { render: installOnly(renderXl), bootFile: 'xl.cfg' },
  qemu: { render: installOnly(renderQemu), bootFile: 'qemu.sh' },
  ipxe: { render: renderIpxe, bootFile: loaders.ipxe.configFile, forLoaders: true },
  pxelinux: { render: renderPxelinux, bootFile: loaders.pxelinux.configFile, forLoaders: true },
  grub: { render: renderGrub, bootFile: loaders.grub.configFile, forLoaders: true },
} as const satisfies Readonly<Record<string, FormatRecord>>

export type Format = keyof typeof records

const table: Readonly<Record<Format, FormatRecord>> = records

export const formats = Object.keys(records) as readonly Format[]

/**
 * A plan as text.
 *
 * @throws Failure `invalid-data` when that language has no way to write a name or an argument, `conflict`
 * when there is nothing to install and the format describes an installation, `unsupported` when the format
 * cannot describe the machine.
 */
export function renderPlan(plan: BootPlan, as: Format, options: RenderOptions = {}): string {
  return table[as].render(plan, options)
}

export function isFormat(text: string): text is Format {
  return Object.hasOwn(records, text)
}

export function formatContentType(as: Format): string {
  return table[as].contentType ?? 'text/plain; charset=utf-8'
}

/** The format of a file below `/boot/<guest>/`; undefined for another name. */
export function formatOfBootFile(name: string): Format | undefined {
  return formats.find((format) => table[format].bootFile === name)
}

/** The name of the format's file below `/boot/<guest>/`. */
export function bootFileOf(as: Format): string {
  return table[as].bootFile
}

export function isForLoaders(as: Format): boolean {
  return table[as].forLoaders ?? false
}

/** A renderer for installations only. For any other plan it throws `conflict` with that plan's reason. */
function installOnly(render: (plan: InstallPlan) => string): FormatRecord['render'] {
  return (plan) => {
    if (plan.kind === 'install') return render(plan)
    throw new Failure('conflict', `nothing to install: ${plan.kind === 'menu' ? plan.title : plan.why}`)
  }
}

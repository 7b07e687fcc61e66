import type { BootPlan, InstallPlan } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import { renderEnv } from './env.ts'
import { renderGrub } from './grub.ts'
import { renderIpxe } from './ipxe.ts'
import { renderJson } from './json.ts'
import { renderLibvirt } from './libvirt.ts'
import { renderPxelinux } from './pxelinux.ts'
import { renderQemu } from './qemu.ts'
import { renderVirtInstall } from './virt-install.ts'
import { renderXl } from './xl.ts'

/** Everything that a plan can be written as; the names are those of `as=` and `--as`. */
export const formats = [
  'json',
  'env',
  'virt-install',
  'libvirt',
  'xl',
  'qemu',
  'ipxe',
  'pxelinux',
  'grub',
] as const
export type Format = (typeof formats)[number]

export interface RenderOptions {
  /** By which protocol the loader reads; PXELINUX stays with it. TFTP unless told. */
  readonly via?: 'tftp' | 'http'
  /** The folder that PXELINUX takes for its own, '' for the root; see `pxelinux.ts`. */
  readonly loaderFolder?: string
  /** How this client reaches us, for loaders that go on to another loader. */
  readonly server?: LoaderServer
}

export interface LoaderServer {
  /** `http://mirror.example:8080` */
  readonly http: string
  /** IPv4, as it goes into the `siaddr` of a DHCP answer; absent where it is not known. */
  readonly address?: string
}

interface Renderer {
  readonly contentType: string
  /** How a file that holds this ends. */
  readonly extension: string
  readonly render: (plan: BootPlan, options: RenderOptions) => string
}

const text = 'text/plain; charset=utf-8'
const renderers: Readonly<Record<Format, Renderer>> = {
  json: { contentType: 'application/json; charset=utf-8', extension: 'json', render: renderJson },
  env: { contentType: text, extension: 'env', render: renderEnv },
  'virt-install': { contentType: text, extension: 'sh', render: installOnly(renderVirtInstall) },
  libvirt: {
    contentType: 'application/xml; charset=utf-8',
    extension: 'xml',
    render: installOnly(renderLibvirt),
  },
  xl: { contentType: text, extension: 'xl', render: installOnly(renderXl) },
  qemu: { contentType: text, extension: 'sh', render: installOnly(renderQemu) },
  ipxe: { contentType: text, extension: 'ipxe', render: renderIpxe },
  pxelinux: { contentType: text, extension: 'cfg', render: renderPxelinux },
  grub: { contentType: text, extension: 'cfg', render: renderGrub },
}

/**
 * A plan as text.
 *
 * @throws Failure `invalid-data` when a name or an argument cannot be said in that language, `conflict` when there is
 * nothing to install and the format describes an installation, `unsupported` when the format has no such machine.
 */
export function renderPlan(plan: BootPlan, as: Format, options: RenderOptions = {}): string {
  return renderers[as].render(plan, options)
}

export function isFormat(text: string): text is Format {
  return Object.hasOwn(renderers, text)
}

export function formatContentType(as: Format): string {
  return renderers[as].contentType
}

export function formatExtension(as: Format): string {
  return renderers[as].extension
}

/** Machine descriptions and commands exist for installations only; anything else has its one line of reason. */
function installOnly(render: (plan: InstallPlan) => string): Renderer['render'] {
  return (plan) => {
    if (plan.kind === 'install') return render(plan)
    throw new Failure('conflict', `nothing to install: ${plan.kind === 'menu' ? plan.title : plan.why}`)
  }
}

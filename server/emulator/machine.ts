import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import type { Lan } from './lan.ts'
import type { UndoStack } from './undo.ts'

/**
 * Which firmware a machine has, and how it starts. `bios`: SeaBIOS, then QEMU's iPXE ROM. `uefi`: OVMF's own
 * PXE. `uefi-pxe6`: the same by IPv6 alone. `uefi-http`: OVMF's HTTP Boot, by IPv4 and then by IPv6. `uefi-ipxe`: OVMF with QEMU's iPXE ROM. `secure`: OVMF with Microsoft's
 * keys enrolled, Secure Boot enforced. `arm64`: AAVMF's PXE. The rest start kernel and initrd that QEMU loads, and nothing else.
 */
export type MachineFirmware =
  | 'bios'
  | 'uefi'
  | 'uefi-pxe6'
  | 'uefi-http'
  | 'uefi-ipxe'
  | 'secure'
  | 'arm64'
  | KernelOnly

/** Machines of which QEMU brings the firmware itself. */
export type KernelOnly = 'ppc64le' | 's390x' | 'riscv64'

interface KernelOnlyRecord {
  readonly program: string
  readonly board: readonly string[]
  /** s390x has no PCI by default. */
  readonly bus: 'pci' | 'ccw'
}

/**
 * As tried with QEMU 7.2. `pseries` has a virtual terminal (hvc0) on the first serial line, s390x an SCLP console
 * (ttysclp0), `virt` a 16550A (ttyS0).
 */
const kernelOnly: Readonly<Record<KernelOnly, KernelOnlyRecord>> = {
  ppc64le: { program: 'qemu-system-ppc64', board: ['-machine', 'pseries,accel=tcg'], bus: 'pci' },
  s390x: {
    program: 'qemu-system-s390x',
    board: ['-machine', 's390-ccw-virtio,accel=tcg', '-cpu', 'max'],
    bus: 'ccw',
  },
  riscv64: { program: 'qemu-system-riscv64', board: ['-machine', 'virt,accel=tcg'], bus: 'pci' },
}

export function isKernelOnly(firmware: string): firmware is KernelOnly {
  return Object.hasOwn(kernelOnly, firmware)
}

export interface MachineOptions {
  readonly firmware: MachineFirmware
  readonly mac: string
  /** Of SMBIOS. Default: none, which firmware shows as zeros. */
  readonly uuid?: string
  /** In MiB. */
  readonly memory: number
  /** The machine's tap, or `user`: QEMU's own network, which needs no root and where the host is 10.0.2.2. */
  readonly network: { readonly tap: string } | 'user' | UserNetwork
  /** Default: `tcg`, and with BIOS an old CPU that is emulated a little faster. */
  readonly accel?: 'kvm' | 'tcg'
  /** Kernel and initrd that QEMU loads itself, without a boot loader. */
  readonly direct?: { readonly kernel: string; readonly initrd: string; readonly cmdline: string }
  /** A folder for the variables of the firmware; needed for every firmware except `bios`. */
  readonly folder?: string
  /** A disk that comes after the network in the boot order: what QEMU's `-drive` is told of it. */
  readonly disk?: string
}

/** QEMU's own network with a DHCP server that names a boot file: a URL, or a name in the folder that it serves by TFTP. */
export interface UserNetwork {
  readonly bootFile: string
  readonly tftp?: string
}

const ovmf = '/usr/share/OVMF'
const aavmf = '/usr/share/AAVMF'

/** The image files of each firmware: its code, and its variables, of which each machine gets a copy. */
export const firmwareImages: Record<
  Exclude<MachineFirmware, 'bios' | KernelOnly>,
  readonly [code: string, variables: string]
> = {
  uefi: [`${ovmf}/OVMF_CODE_4M.fd`, `${ovmf}/OVMF_VARS_4M.fd`],
  'uefi-pxe6': [`${ovmf}/OVMF_CODE_4M.fd`, `${ovmf}/OVMF_VARS_4M.fd`],
  'uefi-http': [`${ovmf}/OVMF_CODE_4M.fd`, `${ovmf}/OVMF_VARS_4M.fd`],
  'uefi-ipxe': [`${ovmf}/OVMF_CODE_4M.fd`, `${ovmf}/OVMF_VARS_4M.fd`],
  secure: [`${ovmf}/OVMF_CODE_4M.ms.fd`, `${ovmf}/OVMF_VARS_4M.ms.fd`],
  arm64: [`${aavmf}/AAVMF_CODE.fd`, `${aavmf}/AAVMF_VARS.fd`],
}

export function qemuProgram(firmware: MachineFirmware): string {
  if (isKernelOnly(firmware)) return kernelOnly[firmware].program
  return firmware === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64'
}

/** The QEMU command for a machine; `variables` is its own copy of the firmware's variables. */
export function machineCommand(options: MachineOptions, variables: string): string[] {
  return [
    qemuProgram(options.firmware),
    '-nodefaults',
    '-no-reboot',
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
    ...['-m', String(options.memory)],
    ...(options.uuid === undefined ? [] : ['-uuid', options.uuid]),
    ...board(options),
    ...firmware(options.firmware, variables),
    ...networkCard(options),
    ...(options.direct ? direct(options.direct) : []),
    ...(options.disk === undefined ? [] : diskAfterNetwork(options.disk)),
    // Installers wait for random numbers; without this device they wait long.
    ...['-device', `virtio-rng-${busOf(options.firmware)}`],
  ]
}

function busOf(firmware: MachineFirmware): 'pci' | 'ccw' {
  return isKernelOnly(firmware) ? kernelOnly[firmware].bus : 'pci'
}

/** Starts a machine, in the namespace of `lan` if there is one. The child's `output` is the serial line. */
export function startMachine(undo: UndoStack, options: MachineOptions, lan?: Pick<Lan, 'inside'>): Child {
  const variables = join(options.folder ?? '.', `variables-${options.mac.replaceAll(':', '')}.fd`)
  const { firmware: kind } = options
  if (kind !== 'bios' && !isKernelOnly(kind)) copyFileSync(firmwareImages[kind][1], variables)
  const [file = '', ...args] = machineCommand(options, variables)
  return startChild(undo, lan ? lan.inside([file, ...args]) : [file, ...args])
}

function board({ firmware: kind, accel: wanted }: MachineOptions): string[] {
  if (isKernelOnly(kind)) return [...kernelOnly[kind].board]
  const accel = wanted ?? 'tcg'
  if (kind === 'arm64')
    return ['-machine', `virt,accel=${accel}`, '-cpu', accel === 'kvm' ? 'host' : 'cortex-a57']
  // graphics=off makes SeaBIOS, iPXE and PXELINUX write to the serial line.
  if (kind === 'bios')
    return [
      ...['-machine', `pc,accel=${accel},graphics=off`, '-vga', 'none'],
      ...['-boot', 'order=n,strict=on'],
      // QEMU's own choice is a CPU on which kernels of Enterprise Linux 9 and later panic at once (render/qemu.ts).
      ...(wanted === undefined ? [] : ['-cpu', 'max']),
    ]
  if (kind === 'secure') return ['-machine', `q35,smm=on,accel=${accel}`, '-cpu', 'max']
  return ['-machine', `q35,accel=${accel}`, '-cpu', 'max']
}

function firmware(kind: MachineFirmware, variables: string): string[] {
  if (kind === 'bios' || isKernelOnly(kind)) return []
  const [code] = firmwareImages[kind]
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${variables}`],
    ...(kind === 'secure' ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    // HTTP Boot comes after PXE in OVMF's order: without PXE it is first.
    ...(switchedOff[kind] ?? []).flatMap((name) => ['-fw_cfg', `name=opt/org.tianocore/${name},string=no`]),
  ]
}

const switchedOff: Partial<Record<MachineFirmware, readonly string[]>> = {
  'uefi-http': ['IPv4PXESupport', 'IPv6PXESupport'],
  'uefi-pxe6': ['IPv4PXESupport'],
}

function networkCard({ firmware: kind, mac, network, direct: directBoot }: MachineOptions): string[] {
  const netdev = netdevOf(network)
  // QEMU's iPXE ROM would replace UEFI's own network boot, and a direct boot does not need it.
  const hasRom = (kind === 'bios' && !directBoot) || kind === 'uefi-ipxe' || busOf(kind) === 'ccw'
  const rom = hasRom ? '' : ',romfile='
  const boot = directBoot ? '' : ',bootindex=1'
  return ['-netdev', netdev, '-device', `virtio-net-${busOf(kind)},netdev=net0,mac=${mac}${rom}${boot}`]
}

function netdevOf(network: MachineOptions['network']): string {
  if (network === 'user') return 'user,id=net0'
  // Without vnet_hdr the kernel fills in UDP checksums; DHCP clients drop packets whose checksum is wrong.
  if ('tap' in network) return `tap,id=net0,ifname=${network.tap},script=no,downscript=no,vnet_hdr=off`
  const { bootFile, tftp } = network
  const folder = tftp === undefined ? '' : `,tftp=${option(tftp)}`
  return `user,id=net0${folder},bootfile=${option(bootFile)}`
}

/** A value in an option of QEMU, where a comma separates and two are one. */
function option(value: string): string {
  return value.replaceAll(',', ',,')
}

function direct({ kernel, initrd, cmdline }: NonNullable<MachineOptions['direct']>): string[] {
  return ['-kernel', kernel, '-initrd', initrd, '-append', cmdline]
}

function diskAfterNetwork(drive: string): string[] {
  return [
    ...['-drive', `if=none,id=disk,format=raw,${drive}`],
    ...['-device', 'virtio-blk-pci,drive=disk,bootindex=2'],
  ]
}

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failureMessage } from '../core/failure.ts'
import { type Child, findProgram } from '../emulator/child.ts'
import { startDnsmasq } from '../emulator/dnsmasq.ts'
import { type Lan, makeLanHere } from '../emulator/lan.ts'
import type { UndoStack } from '../emulator/undo.ts'
import type { BootTestRequest } from './request.ts'

/** QEMU's user network answers DHCP and TFTP itself. */
const ownAnswers = 'QEMU has its own'

/** A network of treeboot, a machine, and a DHCP server of somebody else. */
export interface TestNetwork extends Pick<Lan, 'bridge' | 'address' | 'addTap'> {
  /**
   * Starts the DHCP server, for one machine. As on most networks it gives addresses alone.
   *
   * @param bootFile What it names beside: signed GRUBs ask the server that gave the address for their configuration, not one
   *   that answers beside it (Debian 12, GRUB 2.06; see `treeboot dhcp-config`).
   */
  startDhcp(bootFile?: string): Promise<Child>
}

/**
 * The network of the machines under test, in the network namespace of this process: which only root can make.
 *
 * @returns Why there is none, in words, where this host or this user cannot have it.
 */
export async function makeTestNetwork(
  { network = 'auto' }: Pick<BootTestRequest, 'network'>,
  { undo, work }: { readonly undo: UndoStack; readonly work: string },
): Promise<TestNetwork | string> {
  if (network === 'user' || !isRoot()) return `${ownAnswers}; a test by root has those of treeboot`
  if (findProgram('dnsmasq') === undefined)
    return `${ownAnswers}; with dnsmasq-base installed, a test by root has those of treeboot`
  try {
    const lan = makeLanHere(undo)
    const host = lan.addHost('192.0.2.2')
    const { address } = lan
    return {
      ...lan,
      async startDhcp(bootFile) {
        // Without a router debian-installer stops and asks.
        if (bootFile === undefined) return startDnsmasq(undo, host, work, { gateway: address })
        // dnsmasq sends the name as option 67 to whoever asks for it, and shim reads the field `file` alone: without that it
        // looks for its GRUB at the root, and not beside itself.
        const configFile = join(work, 'dnsmasq.conf')
        await writeFile(configFile, 'dhcp-no-override\n')
        return startDnsmasq(undo, host, work, { gateway: address, configFile, bootFile, nextServer: address })
      },
    }
  } catch (error) {
    return `${ownAnswers}; there is no network for a test: ${failureMessage(error).slice(0, 200)}`
  }
}

/** In a user namespace everybody may be 0, and may not make what the rest of the system sees. */
function isRoot(): boolean {
  try {
    return process.getuid?.() === 0 && /^\s*0\s+0\s/.test(readFileSync('/proc/self/uid_map', 'utf8'))
  } catch {
    return false
  }
}

import { type Command, run } from './child.ts'
import type { UndoStack } from './undo.ts'

/**
 * A separate network: a network namespace with a bridge. The bridge has the server's address, and the
 * machines' taps are its ports. The host's network cannot see it, and the host's firewall does not apply.
 */
export interface Lan {
  readonly namespace: string
  readonly bridge: string
  /** The server's address. */
  readonly address: string
  /** Wraps a command so that it runs in this network's namespace. */
  inside(command: Command): Command
  /** Makes a tap for one machine and joins it to the bridge. */
  addTap(): string
  /** Adds another computer to the network, as a namespace with one interface: for example a DHCP server. */
  addHost(address: string): Host
}

export interface Host {
  readonly namespace: string
  readonly address: string
  inside(command: Command): Command
}

/** 192.0.2.0/24 is reserved for documentation (RFC 5737), so it is not the address of any real network. */
const prefix = 24

/** How many network namespaces this process has made: the number is part of their names. */
let namespaces = 0

/** Makes a network. Needs root. `undo` removes everything that it makes. */
export function makeLan(undo: UndoStack, address = '192.0.2.1'): Lan {
  removeStale()
  const { namespace, inside } = makeNamespace(undo)
  return lanIn(undo, { namespace, inside, address })
}

/** The same in the network namespace of this process, which must have no other interface. */
export function makeLanHere(undo: UndoStack, address = '192.0.2.1'): Lan {
  removeStale()
  return lanIn(undo, { inside: (command) => command, address })
}

interface LanPlace extends Pick<Lan, 'inside' | 'address'> {
  /** Undefined for that of this process. */
  readonly namespace?: string
}

function lanIn(undo: UndoStack, { namespace = '', inside, address }: LanPlace): Lan {
  const bridge = 'br0'
  const place = namespace === '' ? [] : ['-n', namespace]
  const ip = (...args: string[]) => run('ip', ...place, ...args)
  ip('link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0')
  ip('addr', 'add', `${address}/${prefix}`, 'brd', '+', 'dev', bridge)
  ip('link', 'set', bridge, 'up')
  let taps = 0
  let hosts = 0
  return {
    namespace,
    bridge,
    address,
    inside,
    addTap() {
      const tap = `tap${taps++}`
      ip('tuntap', 'add', tap, 'mode', 'tap')
      ip('link', 'set', tap, 'master', bridge, 'up')
      return tap
    },
    addHost(hostAddress) {
      const host = makeNamespace(undo)
      const port = `host${hosts++}`
      ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.namespace)
      ip('link', 'set', port, 'master', bridge, 'up')
      run('ip', '-n', host.namespace, 'addr', 'add', `${hostAddress}/${prefix}`, 'brd', '+', 'dev', 'eth0')
      // An IPv6 address, from which dnsmasq sends router advertisements. `nodad` makes it usable at once,
      // without asking whether another host has it.
      run('ip', '-n', host.namespace, 'addr', 'add', 'fd00:db8::2/64', 'dev', 'eth0', 'nodad')
      run('ip', '-n', host.namespace, 'link', 'set', 'eth0', 'up')
      return { ...host, address: hostAddress }
    },
  }
}

function makeNamespace(undo: UndoStack) {
  const namespace = `tb-${process.pid}-${namespaces++}`
  run('ip', 'netns', 'add', namespace)
  undo.push(`network namespace ${namespace}`, () => run('ip', 'netns', 'delete', namespace))
  const inside = (command: Command): Command => ['ip', 'netns', 'exec', namespace, ...command]
  run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
  return { namespace, inside }
}

/**
 * Deletes the network namespaces that killed processes left. The name of each holds the pid of the process
 * that made it.
 */
function removeStale(): void {
  for (const [namespace, pid] of run('ip', 'netns', 'list').matchAll(/^tb-(\d+)-\d+/gm)) {
    if (!isAlive(Number(pid))) run('ip', 'netns', 'delete', namespace)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Child, type Command, startChild } from '../../../server/emulator/child.ts'
import type { Lan } from '../../../server/emulator/lan.ts'
import type { UndoStack } from '../../../server/emulator/undo.ts'

/** A private libvirtd: it does not see or touch the host's libvirt, and ends with its process. */
export interface PrivateLibvirt {
  readonly daemon: Child
  /** Makes a command run where `qemu:///system` is this libvirtd. */
  inside(command: Command): Command
}

/**
 * Runs in a mount namespace whose `/run/libvirt`, `/var/lib/libvirt`, ... are empty, and whose `/dev` has no
 * `kvm`: a /dev/kvm that exists but does not work makes libvirt choose it, and the guest dies (`failed to set
 * MSR`).
 */
const setup = `set -e
config=$1; shift
mount --make-rprivate /
for folder in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=755 private "$folder"
done
mkdir -p /var/lib/libvirt/boot /var/lib/libvirt/qemu /var/lib/libvirt/images
cp "$config"/*.conf /etc/libvirt/
mkdir "$config/dev"
mount -t tmpfs -o mode=755 private "$config/dev"
mkdir "$config/dev/net" "$config/dev/pts" "$config/dev/shm"
for device in null zero full random urandom tty net/tun; do cp -a "/dev/$device" "$config/dev/$device"; done
ln -s /proc/self/fd "$config/dev/fd"
mount --rbind /dev/pts "$config/dev/pts"
ln -s pts/ptmx "$config/dev/ptmx"
mount --move "$config/dev" /dev
"$@"
`

const libvirtdConf = `auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
`

const qemuConf = `security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
`

/** Starts libvirtd inside the network, so that `--network bridge=br0` finds its bridge. */
export async function startLibvirt(undo: UndoStack, lan: Lan, folder: string): Promise<PrivateLibvirt> {
  const config = join(folder, 'libvirt')
  mkdirSync(config, { recursive: true })
  writeFileSync(join(config, 'libvirtd.conf'), libvirtdConf)
  writeFileSync(join(config, 'qemu.conf'), qemuConf)
  const libvirtd = ['libvirtd', '--config', '/etc/libvirt/libvirtd.conf', '--pid-file', `${config}/pid`]
  // The machines of libvirtd are not its child processes. In a process namespace they end with its first
  // process.
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const
  const daemon = startChild(undo, lan.inside([...unshare, 'sh', '-c', setup, 'sh', config, ...libvirtd]))
  const first = await firstChildOf(daemon.pid)
  const inside = (command: Command): Command => ['nsenter', '-t', first, '-m', '-n', '-p', '-r', ...command]
  const probe = startChild(
    undo,
    inside(['sh', '-c', 'until virsh -c qemu:///system version; do sleep 0.2; done']),
  )
  const gone = daemon.ended.then((code) => {
    throw new Error(`libvirtd ended with ${code}:\n${daemon.output.tail()}`)
  })
  // At the end of the test the daemon ends, and nobody waits for this any more.
  gone.catch(() => {})
  await Promise.race([probe.output.waitFor(/Running hypervisor: .*/, 90_000), gone])
  return { daemon, inside }
}

async function firstChildOf(pid: number): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    if (child) return child
    await delay(50)
  }
  throw new Error('unshare started nothing within five seconds')
}

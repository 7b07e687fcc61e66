/** The value of `virt.network`, taken apart. */
export interface VirtNetwork {
  readonly kind: 'bridge' | 'network' | 'user'
  /** Name of the bridge or of the libvirt network; '' for `user`. */
  readonly name: string
  /** NIC model that the operator asks for. */
  readonly model?: string
  /** The network as the operator wrote it, which is virt-install's spelling. */
  readonly written: string
}

/**
 * `bridge=br0`, `network=default`, `user`, each maybe with `,model=virtio`: the forms of virt-install that
 * every hypervisor has. Undefined for anything else.
 */
export function virtNetworkOf(written: string): VirtNetwork | undefined {
  const [first = '', ...rest] = written.split(',')
  const [kind = '', name = ''] = first.split('=', 2)
  const model = rest.find((part) => part.startsWith('model='))?.slice('model='.length)
  const more = { written, ...(model !== undefined && { model }) }
  if (kind === 'user' || kind === 'default') return { kind: 'user', name: '', ...more }
  if ((kind === 'bridge' || kind === 'network') && name !== '') return { kind, name, ...more }
  return undefined
}

/** What an operator probably meant by a network that cannot be read, for people. */
export function networkMeant(written: string): string {
  const [name = '', ...rest] = written.split(',')
  const bare = name.replace(/^[\w-]*[=:]/, '')
  if (!/^[\w.-]+$/.test(bare) || name.startsWith('type=')) return 'write bridge=NAME, network=NAME or user'
  const more = rest.map((part) => `,${part}`).join('')
  return `write bridge=${bare}${more} for a bridge of the host, or network=${bare}${more} for a network of libvirt`
}

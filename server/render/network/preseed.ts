import { type NetworkContext, networkArgs } from '../../core/distro/network-args.ts'
import { oneLine } from '../kickstart-quote.ts'

const types: Readonly<Record<string, string>> = {
  'netcfg/choose_interface': 'select',
  'netcfg/disable_autoconfig': 'boolean',
  'netcfg/confirm_static': 'boolean',
}

/**
 * The `netcfg` lines of a preseed file. debian-installer has set up its network from the command line when it loads the
 * file, so they say the same; they count where netcfg is run once more.
 */
export function preseedNetwork(context: NetworkContext): string[] {
  return networkArgs('netcfg', context).map(({ key, value = '' }) => {
    const question = key === 'interface' ? 'netcfg/choose_interface' : key
    return oneLine(`d-i ${question} ${types[question] ?? 'string'} ${value}`)
  })
}

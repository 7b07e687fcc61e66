import { join } from 'node:path'
import { run } from '../../../server/emulator/child.ts'

/** What a test passes to `requireClient` for `makeGrub`. */
export const grubImageNeeds = ['grub-mkimage', '/usr/lib/grub/x86_64-efi/http.mod'] as const

const modules =
  'boot cat chain configfile echo efinet fat halt linux minicmd normal part_gpt part_msdos reboot search ' +
  'search_fs_file sleep test true'

/**
 * A network GRUB for x64 that nobody signed, with `more` modules inside: Debian's signed one has no HTTP. It takes its
 * files from where it came from.
 */
export function makeGrub(folder: string, more: readonly string[]): string {
  const file = join(folder, `grub-${more.join('-')}.efi`)
  run('grub-mkimage', '-O', 'x86_64-efi', '-p', '/grub', '-o', file, ...modules.split(' '), ...more)
  return file
}

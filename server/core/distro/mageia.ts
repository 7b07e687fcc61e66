import { treeLimits } from '../limits/trees.ts'
import { archIn } from '../tree/arch.ts'
import { type Description, nameOnly } from '../tree/description.ts'
import { osinfoNames } from './osinfo.ts'
import type { Family } from './record.ts'

export const mageia = {
  distros: {
    mageia: {
      name: 'Mageia',
      family: /mageia/,
      installer: 'drakx',
      rolling: { cauldron: 5, cooker: 5 },
      osinfo: osinfoNames('mageia', [1, 2, 3, 4, 5, 6, 7, 8]),
      efi: { folder: 'mageia' },
    },
  },
  layouts: [{ kernel: /^isolinux\/(?<arch>[^/]+)\/vmlinuz$/, initrds: ['all.rdz'], family: 'Mageia' }],
  folders: ['isolinux'],
  descriptors: [
    {
      name: 'VERSION (Mageia)',
      eras: ['mageia-version'],
      paths: ['VERSION'],
      maxBytes: treeLimits.descriptor.bytes,
      read: readVersion,
      telling: false,
      virtInstallFindsImages: true,
    },
  ],
} as const satisfies Family

/** `VERSION` of Mageia and Mandriva trees: `Mageia 9 Release x86_64 20230822 12:00`. It names no images. */
function readVersion(_file: string, text: string): Description | undefined {
  // A longer file is something else. The expression would try again from each of its empty lines.
  if (text.length > 4096) return undefined
  const match = /^\s*(Mageia|Mandriva(?: Linux)?|OpenMandriva\w*) (\d[\w.]*|cauldron)(?:\s+(.*))?$/im.exec(
    text,
  )
  if (!match) return undefined
  const [, family = '', version = '', rest = ''] = match
  return nameOnly('mageia-version', { family, version, arch: archIn(rest) ?? '' })
}

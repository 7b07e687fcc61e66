import { archIn } from '../arch.ts'
import type { Description } from '../tree.ts'

/** Reads `VERSION` of Mageia trees: `Mageia 9 Release x86_64 20230822 12:00`. The images are in `isolinux/<arch>/`. */
export function readMageiaVersion(_file: string, text: string): Description | undefined {
  const match = /^\s*(Mageia|Mandriva(?: Linux)?|OpenMandriva\w*) (\d[\w.]*|cauldron)(?:\s+(.*))?$/im.exec(
    text,
  )
  if (!match || text.length > 4096) return undefined
  const [, family = '', version = '', rest = ''] = match
  return {
    era: 'mageia-version',
    family,
    version,
    variant: '',
    arch: archIn(rest) ?? '',
    platforms: {},
    repositories: [],
    checksums: {},
    problems: [],
  }
}

import type { InstallerName } from './record.ts'

/** What an installer shows on the serial line when it is told to use it (`console=ttyS0`), as far as it is known for sure. */
export interface SerialSigns {
  /** Its second stage runs. */
  readonly stage2?: RegExp
  /**
   * The text of an answer file that writes this line to the console as soon as the installer follows it, and then switches
   * the machine off. It ends before any disk is looked at.
   */
  readonly answerFile?: (line: string) => string
}

/**
 * The signs of each installer. One that is not here is tested up to its initrd: a sign that is only believed in would
 * refuse good trees.
 */
const signs: Readonly<Partial<Record<InstallerName, SerialSigns>>> = {
  // anaconda pyanaconda/startup_utils.py, print_startup_note: "anaconda 40.22.3-1 for Fedora 40 started."; before it the
  // shell script says "Starting installer, one moment...". The loader up to Enterprise Linux 6 says "Running anaconda 11.1.2.250,
  // the CentOS system installer - please wait...". %pre runs before storage is scanned.
  anaconda: {
    stage2: /Starting installer, one moment|\banaconda \d\S* .*\bstarted\.|Running anaconda \d/,
    answerFile: (line) => `text\n%pre\necho "${line}" >/dev/console\npoweroff -f\n%end\n`,
  },
  // early_command runs as soon as preseeding is read (installation guide, B.5.1). The netboot initrd has no second stage.
  'debian-installer': {
    answerFile: (line) =>
      `d-i preseed/early_command string echo "${line}" >/dev/console; sleep 1; poweroff -f\n`,
  },
}

export function serialSignsOf(installer: InstallerName): SerialSigns {
  return signs[installer] ?? {}
}

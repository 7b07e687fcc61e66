/**
 * The rest of IANA's "Processor Architecture Types": machines that have no loader of ours. `uefiByArch` (firmware.ts) has
 * those that have one. Names as the registry has them, in plain words.
 */
const names: ReadonlyMap<number, string> = new Map([
  [1, 'NEC PC-98'],
  [2, 'UEFI on Itanium'],
  [3, 'DEC Alpha'],
  [4, 'Arc x86'],
  [5, 'Intel Lean Client'],
  [8, 'EFI on XScale'],
  [12, 'PowerPC, Open Firmware'],
  [13, 'PowerPC, ePAPR'],
  [14, 'POWER, OPAL'],
  [20, 'BIOS that boots by HTTP'],
  [25, 'UEFI on RISC-V, 32 bits'],
  [26, 'UEFI on RISC-V, 32 bits, by HTTP'],
  [29, 'UEFI on RISC-V, 128 bits'],
  [30, 'UEFI on RISC-V, 128 bits, by HTTP'],
  [31, 's390, basic'],
  [32, 's390, extended'],
  [33, 'UEFI on MIPS, 32 bits'],
  [34, 'UEFI on MIPS, 64 bits'],
  [35, 'UEFI on Sunway, 32 bits'],
  [36, 'UEFI on Sunway, 64 bits'],
  [37, 'UEFI on LoongArch, 32 bits'],
  [38, 'UEFI on LoongArch, 32 bits, by HTTP'],
])

const prefix = 'option 93: '

/** What stands for the firmware of a machine that has no loader: `option 93: 37`. */
export function unservedArchs(archs: readonly number[]): string {
  return `${prefix}${archs.join(', ')}`
}

/** Why such a machine gets no loader, in words; undefined for a text that `unservedArchs` has not made. */
export function whyUnserved(firmware: string): string | undefined {
  if (!firmware.startsWith(prefix)) return undefined
  const archs = firmware
    .slice(prefix.length)
    .split(', ')
    .map((each) => {
      const name = names.get(Number(each))
      return name === undefined ? each : `${each} (${name})`
    })
  return `there is no loader for option 93 ${archs.join(', ')}`
}

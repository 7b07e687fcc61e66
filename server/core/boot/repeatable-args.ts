/**
 * Keys that may occur several times on a command line, because their reader takes every occurrence. Of any other key a
 * reader takes the last one, or one that nobody can foretell.
 */
const readers: readonly { readonly reader: string; readonly keys: RegExp }[] = [
  {
    // Documentation/admin-guide/kernel-parameters.txt. `video=` is for one output, `hugepages=` for the `hugepagesz=`
    // before it, and `crashkernel=` once for high and once for low memory.
    reader: 'Linux',
    keys: /^(console|earlycon|memmap|hugepages|hugepagesz|pci|acpi_osi|video|crashkernel|initrd|module_blacklist|initcall_blacklist|fips)$/,
  },
  {
    // dracut.cmdline(7), and what reads the command line as dracut does: nm-initrd-generator(8).
    reader: 'dracut',
    keys: /^(ip|nameserver|ifname|bond|bridge|vlan|team|route|netroot|rd\..+)$/,
  },
  {
    // modprobe.d(5), kernel-command-line(7) of systemd.
    reader: 'kmod and systemd',
    keys: /^(modprobe\.blacklist|systemd\.(wants|mask|run|setenv|set_credential|set_credential_binary))$/,
  },
  {
    // anaconda's boot-options.rst; `dd` and `updates` are their names before Enterprise Linux 7.
    reader: 'anaconda',
    keys: /^(inst\.(addrepo|dd|updates|ks\.all|stage2\.all|script)|dd|updates)$/,
  },
  {
    // What file.c of linuxrc 8 does at each occurrence, or appends to a list. Keys have any case there.
    reader: 'linuxrc',
    keys: /^(ifcfg|driverupdate|dud|updatename|updateexpected|addon|info|insmod|exec|options|ethtool|udev\.rule|wlandevice|ptoptions|extend)$/i,
  },
  {
    // `--` ends what Linux reads, and debian-installer hands what stands behind `---` to the new system. debconf itself
    // keeps one value of each question.
    reader: 'debian-installer',
    keys: /^(-{2,3}|BOOT_DEBUG)$/,
  },
]

/** Whether all arguments with this key count. */
export function isRepeatable(key: string): boolean {
  return readers.some(({ keys }) => keys.test(key))
}

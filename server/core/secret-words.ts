/** What tells a secret from other text, by its name or by its form. */

/**
 * Names of variables, keys and kernel arguments that say a secret: `rootpw`, `root_pass`, `user_password_hash`, `wpa_key`,
 * `wifi_psk`, `api-token`.
 */
const secretName =
  /pass(?:word|wd|phrase|code)|hash|secret|token|credential|(?:pass|psk|pw)(?![a-z])|keys?(?![a-z])/i

/**
 * Password hashes and secrets that their form gives away wherever they stand: crypt(3) and PHC strings, LDAP's `{SSHA}`,
 * GRUB's PBKDF2, tokens of ours, a password in a URL, and private keys.
 */
const secretForms = [
  /\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|scrypt|argon2(?:id|i|d)|pbkdf2[\w-]*)\$[^\s"']+/g,
  /\{(?:S?MD5|S?SHA\d*|CRYPT|PBKDF2[\w-]*)\}[^\s"']+/gi,
  /grub\.pbkdf2\.[^\s"']+/gi,
  /\btreeboot_[\w-]{20,}/g,
  /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g,
  // A token in the place of the user, as forges take it: a name of a user is shorter.
  /(?<=:\/\/)[^\s/:@]{16,}(?=@)/g,
  /-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g,
]

/** The text with each part replaced that its form gives away as a secret. */
export function replaceSecretParts(text: string, replacement: (secret: string) => string): string {
  return secretForms.reduce((left, form) => left.replace(form, replacement), text)
}

function hasSecretPart(text: string): boolean {
  return secretForms.some((form) => text.search(form) >= 0)
}

export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

export function isSecret(name: string, value: string): boolean {
  return isSecretName(name) || hasSecretPart(value)
}

/** The first word in a line of text that says a secret, with where it ends; undefined when there is none. */
export function secretWordIn(line: string): { readonly end: number } | undefined {
  const found = secretName.exec(line)
  if (!found) return undefined
  // The rest of the name belongs to it: `password_hash:`, `tokens =`, `--passwordfile`.
  const rest = /^[\w.-]*/.exec(line.slice(found.index + found[0].length))?.[0].length ?? 0
  return { end: found.index + found[0].length + rest }
}

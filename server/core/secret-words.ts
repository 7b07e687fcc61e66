/** What tells a secret from other text, by its name or by its form. */

/** Names of variables, keys and kernel arguments that say a secret: `rootpw`, `user_password_hash`, `wpa_key`, `api-token`. */
const secretName = /pass(?:word|wd|phrase)|hash|secret|token|pw(?![a-z])|keys?(?![a-z])/i

/** Hashes of crypt(3), with which every shipped template sets a password. */
const cryptForm = /^\$(?:1|2[abxy]?|5|6|7|y|gy|sha1)\$/

export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

export function isSecret(name: string, value: string): boolean {
  return isSecretName(name) || cryptForm.test(value)
}

/** The first word in a line of text that says a secret, with where it ends; undefined when there is none. */
export function secretWordIn(line: string): { readonly end: number } | undefined {
  const found = secretName.exec(line)
  if (!found) return undefined
  // The rest of the name belongs to it: `password_hash:`, `tokens =`, `--passwordfile`.
  const rest = /^[\w.-]*/.exec(line.slice(found.index + found[0].length))?.[0].length ?? 0
  return { end: found.index + found[0].length + rest }
}

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** Secrets that a test plants, and how what was written is searched for them. */

/** Each secret has a word of its own, so that a finding says where it comes from. */
export const planted = {
  guestVar: 'Gq7guestvar',
  guestHash: '$6$Hq7salt$Hq7guesthash',
  nestedVar: 'Nq7nested',
  profileVar: 'Pq7profilevar',
  argument: 'Aq7argument',
  urlPassword: 'Uq7urlpassword',
  mirrorPassword: 'Mq7mirrorpassword',
  webhookSecret: 'Wq7webhooksecretwebhook',
  oidcSecret: 'Oq7oidcsecret',
  templateHash: '$6$Tq7salt$Tq7templatehash',
  password: 'Kq7 account password',
  wrongPassword: 'Vq7 wrong password',
  badToken: 'treeboot_Bq7badtokenbadtokenbadtoken',
  ftpPassword: 'Fq7ftppassword',
  query: 'treeboot_Qq7tokeninaquerytokeninaquery',
} as const
type Plant = keyof typeof planted

/** What is searched for: a part that is like nothing else. */
const needles = Object.fromEntries(
  Object.entries(planted).map(([name, text]) => [name, /[A-Z]q7[a-z]+(?=$| |\b)/.exec(text)?.[0] ?? text]),
) as Record<Plant, string>

/** The secrets that a text has, also in base64 and as a URL has them. */
function secretsIn(where: string): Plant[] {
  return (Object.keys(needles) as Plant[]).filter((name) => {
    const forms = [
      needles[name],
      Buffer.from(planted[name]).toString('base64').replace(/=+$/, ''),
      encodeURIComponent(planted[name]),
    ]
    return forms.some((form) => where.includes(form))
  })
}

export const found = (texts: Iterable<readonly [string, string]>): string[] =>
  [...texts].flatMap(([where, each]) => secretsIn(each).map((secret) => `${secret} in ${where}`))

/** All files, with their paths. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
}

/** All cells of a database, each with its table and column. */
export function cellsOf(file: string): [string, string][] {
  const db = new Database(file, { readonly: true })
  try {
    const tables = db.prepare("select name from sqlite_master where type = 'table'").all() as {
      name: string
    }[]
    return tables.flatMap(({ name }) =>
      (db.prepare(`select * from "${name}"`).all() as Record<string, unknown>[]).flatMap((row) =>
        Object.entries(row).map(([column, value]): [string, string] => [
          `${name}.${column}`,
          value instanceof Buffer ? value.toString('latin1') : String(value),
        ]),
      ),
    )
  } finally {
    db.close()
  }
}

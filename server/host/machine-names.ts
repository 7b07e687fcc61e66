import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { machineNames } from '../core/net/own-names.ts'

/** Longer files have no names of this machine: a list of blocked names may be in /etc/hosts. */
const mostBytes = 1 << 20

/**
 * The names of this machine: its host name, with the domain of the resolver and as /etc/hosts has it. The resolver itself
 * is not asked, because a server must start without one.
 */
export async function ownMachineNames(): Promise<readonly string[]> {
  const [hosts, resolver] = await Promise.all(['/etc/hosts', '/etc/resolv.conf'].map(readText))
  const name = hostname()
  const [label = name] = name.split('.')
  const lines = (hosts ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))
  const inHosts = lines.filter((names) => names.includes(name) || names.includes(label)).flat()
  const domains = [...(resolver ?? '').matchAll(/^(?:search|domain)\s+(.*)$/gm)].flatMap(([, list = '']) =>
    list.trim().split(/\s+/),
  )
  return [...new Set([...machineNames(name, domains), ...inHosts])]
}

async function readText(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.length > mostBytes ? '' : text
}

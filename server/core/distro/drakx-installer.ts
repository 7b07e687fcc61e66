import { sourceBase, treeUrlPath } from '../boot/install-source.ts'
import type { KernelArg } from '../boot/plan.ts'
import { type InstallerContext, optionalArg } from './installer-context.ts'
import { drakxNetwork } from './network-args.ts'
import { whyNoRepository } from './why-doomed.ts'

/**
 * Mageia's first stage reads one argument, `automatic=key:value,key:value`; a port is part of the value of
 * `server`.
 */
export function drakx({ tree, source, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const base = sourceBase(source, urls) ?? urls.http
  const method = source === 'ftp' && urls.ftp !== undefined ? 'ftp' : 'http'
  const server = base.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '')
  const how = network ? drakxNetwork(network) : 'network:dhcp'
  const list = `method:${method},${how},server:${server},directory:${treeUrlPath(tree)}`
  return [{ key: 'automatic', value: list }, ...optionalArg('auto_install', answerFile)]
}

const noRepository = whyNoRepository({
  keys: ['automatic'],
  example: 'automatic=method:http,network:dhcp,server:MIRROR,directory:/PATH/distrib/VERSION/ARCH',
})

/** The first stage of Mageia 9 looks up names and connects by IPv4 alone (mdk-stage1: dns.cpp, network.cpp). */
export function whyNoDrakx(context: InstallerContext): string | undefined {
  const { http } = context.urls
  return new URL(http).hostname.startsWith('[')
    ? `the first stage of its installer knows IPv4 alone, and treeboot is at ${http} for it: set server.url to a URL that it reaches by IPv4`
    : noRepository(context)
}

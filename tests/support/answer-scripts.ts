import { parse } from 'yaml'

/** The shell scripts that an answer file of a shipped template holds. */
export function scriptsIn(template: string, text: string): readonly string[] {
  const extract = extractors[template]
  if (!extract) throw new Error(`nobody knows where ${template} has its scripts`)
  return extract(text)
}

const extractors: Readonly<Record<string, (text: string) => readonly string[]>> = {
  'fedora.ks': (text) =>
    [...text.matchAll(/^%(?:post|onerror)[^\n]*\n([\s\S]*?)^%end$/gm)].map(([, body = '']) => body),
  'debian.preseed': (text) => {
    // debconf joins lines that end in a backslash before a shell sees them.
    const joined = text.replaceAll(/\\\n\s*/g, '')
    const commands = [...joined.matchAll(/^d-i (?:preseed|partman)\/\w+_command string (.*)$/gm)]
    const lines = commands.map(([, line = '']) => line)
    const inner = lines.flatMap((line) => [...line.matchAll(/echo ([A-Za-z0-9+/=]+) \| base64 -d/g)])
    return [...lines, ...inner.map(([, code = '']) => Buffer.from(code, 'base64').toString())]
  },
  'ubuntu.user-data': (text) => {
    const { autoinstall } = parse(text) as { autoinstall: Record<string, readonly string[]> }
    return [...(autoinstall['late-commands'] ?? []), ...(autoinstall['error-commands'] ?? [])]
  },
  'suse.autoyast.xml': (text) => {
    const [, source = ''] = /<source><!\[CDATA\[([\s\S]*)\]\]><\/source>/.exec(text) ?? []
    return [source.replaceAll(']]]]><![CDATA[>', ']]>')]
  },
  'suse.agama.json': (text) => {
    const { scripts } = JSON.parse(text) as { scripts: { post: readonly { content: string }[] } }
    return scripts.post.map(({ content }) => content)
  },
}

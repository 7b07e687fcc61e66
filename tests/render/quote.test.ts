import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseKernelArgs } from '../../server/core/boot/kernel-args.ts'
import { Failure } from '../../server/core/failure.ts'
import {
  grubKernelArg,
  grubWord,
  ipxeText,
  ipxeVariables,
  ipxeWord,
  pxelinuxLine,
  pxelinuxPath,
  qemuPart,
  screenText,
  shellValue,
  shellWord,
  virtInstallPart,
  xlString,
  xmlComment,
  xmlText,
} from '../../server/render/quote.ts'
import { runs } from '../support/fuzz.ts'

/** Text of the characters that are special in one of the target languages. */
const nasty = fc.string({
  unit: fc.constantFrom(
    ...'abc =,;:#&|<>"\'\\$`{}()[]%!?*~-/\t\n',
    'é',
    '\u0001',
    '\0',
    '${',
    '--',
    '||',
    '&&',
  ),
  maxLength: 24,
})

/**
 * The text that a function writes; undefined when it refuses, which must be a Failure of kind invalid-data.
 */
function say(quote: (text: string) => string, text: string): string | undefined {
  try {
    return quote(text)
  } catch (error) {
    if (error instanceof Failure && error.kind === 'invalid-data') return undefined
    throw error
  }
}

function alwaysReadBack(quote: (text: string) => string, read: (said: string) => string): void {
  fc.assert(
    fc.property(nasty, (text) => {
      const said = say(quote, text)
      if (said !== undefined) expect(read(said)).toBe(text)
    }),
    { numRuns: runs(1000) },
  )
}

/**
 * Reads one word of a POSIX shell or a GRUB script. The functions write bare text and single quotes; anything
 * else is a mistake.
 */
function readShellWord(said: string): string {
  let text = ''
  for (let at = 0; at < said.length; at++) {
    const char = said.charAt(at)
    if (char === "'") {
      const end = said.indexOf("'", at + 1)
      if (end < 0) throw new Error(`unclosed quote in ${said}`)
      text += said.slice(at + 1, end)
      at = end
    } else if (char === '\\') {
      at++
      text += said.charAt(at)
    } else if (/[A-Za-z0-9_@%+:,./=-]/.test(char)) text += char
    else throw new Error(`bare ${char} in ${said}`)
  }
  return text
}

test('shell words', () => {
  alwaysReadBack(shellWord, readShellWord)
  alwaysReadBack(shellValue, readShellWord)
  expect(shellWord('')).toBe("''")
  // zsh would replace it by the path of ls.
  expect(shellWord('=ls')).toBe("'=ls'")
  expect(shellWord("it's")).toBe("'it'\\''s'")
  expect(() => shellWord('a\0b')).toThrow(/NUL/)
})

test('words of a GRUB script', () => {
  alwaysReadBack(grubWord, readShellWord)
})

describe('kernel arguments through GRUB', () => {
  /**
   * The command line that grub_create_loader_cmdline makes from the words of `linux` (GRUB 2.06,
   * lib/cmdline.c).
   */
  const grubWrites = (word: string) => {
    const escaped = word.replace(/[\\'"]/g, '\\$&')
    return escaped.includes(' ') ? `"${escaped}"` : escaped
  }
  test('reach the kernel unchanged, or are refused', () => {
    fc.assert(
      fc.property(nasty, nasty, (key, value) => {
        const arg = { key, value }
        const said = say(() => grubKernelArg(arg), '')
        if (said !== undefined) expect(parseKernelArgs(grubWrites(readShellWord(said)))).toEqual([arg])
      }),
      { numRuns: runs(1000) },
    )
    expect(grubKernelArg({ key: 'a', value: 'b c' })).toBe(`'a=b c'`)
    expect(grubKernelArg({ key: 'ds', value: 'nocloud;s=http://h/' })).toBe(`'ds=nocloud;s=http://h/'`)
  })
})

describe('iPXE', () => {
  /**
   * As iPXE's exec.c and settings.c do: split at blanks, stop at comments and operators, then expand as often
   * as possible.
   */
  const read = (said: string): string => {
    const values = new Map(
      [...ipxeVariables(said).matchAll(/^set (\w+):hex (\w\w)\nset \1 \$\{\1:string\}$/gm)].map(
        ([, name = '', hex = '']) => [name, String.fromCharCode(Number.parseInt(hex, 16))],
      ),
    )
    const words = said.split(/\s+/).filter((word) => word !== '')
    const expand = (word: string): string => {
      let text = word
      for (;;) {
        const reference = /\$\{([^}]*)\}/.exec(text)
        if (!reference) return text
        const [written, name = ''] = reference
        text = text.replace(written, () => values.get(name) ?? '')
      }
    }
    if (said.endsWith('\\')) throw new Error(`continues on the next line: ${said}`)
    for (const word of words)
      if (word.startsWith('#') || ['&&', '||', ';'].includes(word))
        throw new Error(`special: ${word} in ${said}`)
    return words.map(expand).join(' ')
  }
  test('texts keep their blanks, operators, comments and backslashes', () => {
    alwaysReadBack(ipxeText, read)
  })
  test('words stay one word', () => {
    alwaysReadBack(ipxeWord, read)
    expect(ipxeWord('a b')).not.toContain(' ')
  })
  test('an expansion is refused', () => {
    expect(() => ipxeText(`a=\${net0/mac}`)).toThrow(/would expand/)
    expect(() => ipxeText(`a=\${x`)).toThrow(/would expand/)
    expect(ipxeText('a=$HOME {x}')).toBe('a=$HOME {x}')
  })
})

describe('PXELINUX', () => {
  test('lines are literal: text that would not be literal is refused', () => {
    alwaysReadBack(pxelinuxLine, (said) => {
      if (/[\n\r]/.test(said)) throw new Error('two lines')
      return said.trim()
    })
    for (const text of ['-', ' a', 'a ', 'a\nLABEL x', '\t']) expect(say(pxelinuxLine, text)).toBeUndefined()
  })
  test('file names with a blank or over 255 bytes are refused', () => {
    alwaysReadBack(pxelinuxPath, (said) => said.split(/\s/)[0] ?? '')
    // é has two bytes.
    expect(say(pxelinuxPath, 'é'.repeat(127))).toBeDefined()
    expect(say(pxelinuxPath, 'é'.repeat(128))).toBeUndefined()
    expect(say(pxelinuxPath, '')).toBeUndefined()
  })
})

test('XML text', () => {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  alwaysReadBack(xmlText, (said) => {
    expect(said).not.toMatch(/[<>"'\n\t\r]|&(?!\w+;|#\d+;)/)
    return said.replace(/&(?:(\w+)|#(\d+));/g, (_, name, code) =>
      name ? (entities[name] ?? '') : String.fromCharCode(Number(code)),
    )
  })
  for (const text of ['\0', '\u0001', '\ufffe', '\ud800', 'a\u001fb'])
    expect(say(xmlText, text)).toBeUndefined()
  expect(xmlText('😀')).toBe('😀')
})

test('XML comments', () => {
  alwaysReadBack(xmlComment, (said) => {
    const opening = '<!--'
    expect(`${opening}${said}-->`.indexOf('--', opening.length)).toBe(opening.length + said.length)
    return said
  })
  expect(say(xmlComment, 'a--b')).toBeUndefined()
  expect(say(xmlComment, 'a-')).toBeUndefined()
})

test('strings of xl.cfg', () => {
  alwaysReadBack(xlString, (said) => {
    expect(said).toMatch(/^"(?:[^"\\]|\\["\\])*"$/)
    return said.slice(1, -1).replace(/\\(.)/g, '$1')
  })
  expect(say(xlString, 'a\nb')).toBeUndefined()
})

test('parts of QEMU and virt-install options', () => {
  alwaysReadBack(qemuPart, (said) => {
    expect(said.replaceAll(',,', '')).not.toContain(',')
    return said.replaceAll(',,', ',')
  })
  alwaysReadBack(virtInstallPart, (said) => {
    if (!said.startsWith('"')) {
      expect(said).not.toMatch(/[,"'\\#]/)
      return said
    }
    expect(said).toMatch(/^"(?:[^"\\]|\\["\\])*"$/)
    return said.slice(1, -1).replace(/\\(.)/g, '$1')
  })
})

test('text for a screen is one line of ASCII, whatever it was before', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), nasty, (any, text) => {
      expect(screenText(any + text)).toMatch(/^[\x20-\x7e]*$/)
    }),
  )
})

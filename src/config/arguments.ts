/** Takes a command line apart: flags with and without a value, what stands between them, `--help` and `--version`. */

/** A flag that may stand there. */
export interface KnownFlag {
  /** Without its dashes. */
  flag: string
  takesValue: boolean
}

/** A command line, taken apart. */
export interface Arguments {
  /** By name; the last of equal ones, and an empty text for those that take no value. */
  flags: Map<string, string>
  /** What is no flag and no flag's value. */
  operands: string[]
  /** One line for each thing that is wrong. */
  messages: string[]
  asked: 'help' | 'version' | undefined
}

/** Reads a command line. */
export function readArguments(args: readonly string[], known: readonly KnownFlag[]): Arguments {
  const read: Arguments = { flags: new Map(), operands: [], messages: [], asked: undefined }
  const { flags, operands, messages } = read
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] as string
    if (argument === '--help' || argument === '-h') read.asked ??= 'help'
    else if (argument === '--version' || argument === '-V') read.asked ??= 'version'
    else if (!argument.startsWith('--')) operands.push(argument)
    else {
      const [name = '', ...rest] = argument.slice(2).split('=')
      const inline = argument.includes('=') ? rest.join('=') : undefined
      const row = known.find(({ flag }) => flag === name)
      const next = args[i + 1]
      if (!row) messages.push(`--${name} is not an option${suggestion(name, known)}; see --help`)
      if (row && !row.takesValue) {
        if (inline !== undefined) messages.push(`--${name} takes no value`)
        flags.set(name, '')
        continue
      }
      if (inline === undefined && row && (next === undefined || next.startsWith('--'))) {
        messages.push(`--${name} needs a value`)
        continue
      }
      flags.set(name, inline ?? next ?? '')
      // The value of an unknown flag can't be told from an argument; it is skipped unless it is a flag itself.
      if (inline === undefined && (row || (next !== undefined && !next.startsWith('-')))) i++
    }
  }
  return read
}

function suggestion(name: string, known: readonly KnownFlag[]): string {
  const near = known.find(({ flag }) => flag.startsWith(name) || name.startsWith(flag))
  return near ? ` (did you mean --${near.flag}?)` : ''
}

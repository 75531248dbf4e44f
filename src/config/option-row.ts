/** What is said of an option: everything that is made of the rows of `options.ts` comes from these members. */

/** How a value is written. Numbers of kind `duration` are milliseconds, of kind `size` bytes. */
export type OptionKind = 'count' | 'counts' | 'duration' | 'size' | 'text' | 'choice' | 'choices'

/** One option. */
export interface OptionRow {
  kind: OptionKind
  /** The flag, without its dashes. */
  flag: string
  /** The environment variable. */
  env: string
  /** As it would be written; undefined for none. */
  default: string | undefined
  /** What the default means, where it isn't a plain value. */
  defaultMeans?: string
  /** The default, where it follows from what these others are. */
  defaultFrom?: (others: { lanes: number; bodyBytesMax: number; format: string }) => number
  min?: number
  max?: number
  choices?: readonly string[]
  /** What stands for the value in `--help`. */
  value: string
  /** One sentence. */
  what: string
  /** It bounds all lanes together: each gets its part. */
  isDivided?: true
}

/** A flag that only commands have. */
export interface FlagRow {
  /** The flag, without its dashes. */
  flag: string
  /** What stands for its value in `--help`; undefined for a switch. */
  value: string | undefined
  /** One sentence. */
  what: string
  /** How its value is written, if its command leaves reading it to its row. */
  kind?: OptionKind
  default?: string
  defaultMeans?: string
  min?: number
  max?: number
}

/** What a run of the bench is told: questions, and how long, how often and how hard. */

import { parseArgs } from 'node:util'
import { formatSize, parseSize } from '../src/config/units.ts'

/** How to measure. */
export interface Settings {
  /** How long a load is measured, after the warm-up. */
  seconds: number
  warmupSeconds: number
  /** How often every contender has its turn. */
  rounds: number
  /** How large a backlog grows, where a question is about that. */
  backlogBytes: number
  /** A constant rate of payloads where a question can have one; otherwise as fast as they are answered. */
  payloadsPerSecond?: number
}

/** Flags that mean something to some questions only. */
export type SpecialFlag = 'rate' | 'backlog' | 'keep'

/** A question, as far as it says which of those it takes. */
interface Taker {
  name: string
  takes?: readonly SpecialFlag[]
}

const DEFAULTS: Settings = { seconds: 10, warmupSeconds: 3, rounds: 5, backlogBytes: 2 ** 30 }
const QUICK: Settings = { seconds: 1, warmupSeconds: 1, rounds: 1, backlogBytes: 64 * 2 ** 20 }

/** What the command line asks for. */
export interface Asked {
  names: string[]
  help: boolean
  /** A smoke run: its results are shown and not kept. */
  quick: boolean
  /** What is kept to compare with is replaced. */
  keep: boolean
  /** Some of it was said; the rest is the question's or the bench's own. */
  said: Partial<Settings>
}

export const USAGE = `Usage: npm run bench [-- NAME… [options]]

  --seconds N       how long each load is measured         (default: ${DEFAULTS.seconds}, or the question's own)
  --warmup N        how long it runs before that           (default: ${DEFAULTS.warmupSeconds})
  --rounds N        how often every contender has its turn (default: ${DEFAULTS.rounds})
  --backlog SIZE    memory, growth: how large a backlog grows (default: 1GiB)
  --rate N          batch: a constant rate of payloads a second
  --keep            guard: this is what later runs are compared with
  --quick           a smoke run; nothing is kept
  --help            this`

/** Reads the arguments, or says what is wrong with them. */
export function parseSettings(args: readonly string[]): Asked | string {
  const options = {
    seconds: { type: 'string' },
    warmup: { type: 'string' },
    rounds: { type: 'string' },
    backlog: { type: 'string' },
    rate: { type: 'string' },
    keep: { type: 'boolean' },
    quick: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    return (error as Error).message
  }
  const { values, positionals } = parsed
  const said: Partial<Settings> = {}
  for (const [flag, setting] of [
    ['seconds', 'seconds'],
    ['warmup', 'warmupSeconds'],
    ['rounds', 'rounds'],
    ['rate', 'payloadsPerSecond'],
  ] as const) {
    const text = values[flag]
    if (text === undefined) continue
    if (!/^[1-9]\d{0,7}$/.test(text)) return `--${flag} is '${text}': a whole number from 1 is wanted`
    said[setting] = Number(text)
  }
  if (values.backlog !== undefined) {
    const bytes = parseSize(values.backlog)
    if (bytes === undefined) return `--backlog is '${values.backlog}': a size such as 64MiB or 10GiB is wanted`
    said.backlogBytes = bytes
  }
  return {
    names: positionals,
    help: values.help ?? false,
    quick: values.quick ?? false,
    keep: values.keep ?? false,
    said,
  }
}

/** Why a flag that was given can't be: not all of the questions that are asked take it. Undefined when there is none such. */
export function misplacedFlag(
  { said, keep }: Asked,
  asked: readonly Taker[],
  all: readonly Taker[],
): string | undefined {
  const given: Record<SpecialFlag, boolean> = {
    rate: said.payloadsPerSecond !== undefined,
    backlog: said.backlogBytes !== undefined,
    keep,
  }
  const names = (questions: readonly Taker[]) => questions.map(({ name }) => name).join(', ')
  for (const flag of Object.keys(given) as SpecialFlag[]) {
    if (!given[flag]) continue
    const takers = all.filter(({ takes = [] }) => takes.includes(flag))
    const others = asked.filter((question) => !takers.includes(question))
    if (others.length > 0) return `--${flag} is for ${names(takers)}, and means nothing to ${names(others)}`
  }
  return undefined
}

/** What holds for a question: what was said, else its own, else everybody's. */
export function settingsFor({ quick, said }: Asked, own: Partial<Settings> = {}): Settings {
  return quick ? { ...QUICK, ...said } : { ...DEFAULTS, ...own, ...said }
}

/** The command that asks a question with exactly these settings. */
export function commandOf(name: string, settings: Settings): string {
  const { seconds, warmupSeconds, rounds, backlogBytes, payloadsPerSecond } = settings
  const flags = [`--seconds ${seconds}`, `--warmup ${warmupSeconds}`, `--rounds ${rounds}`]
  if (backlogBytes !== DEFAULTS.backlogBytes) flags.push(`--backlog ${formatSize(backlogBytes)}`)
  if (payloadsPerSecond !== undefined) flags.push(`--rate ${payloadsPerSecond}`)
  return `npm run bench -- ${name} ${flags.join(' ')}`
}

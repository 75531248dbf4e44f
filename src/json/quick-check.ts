/**
 * Is it JSON: says yes four times as fast as `check.ts`, and nothing else. Most bodies are JSON; one that is not, or is
 * unusual (longer or deeper than this takes), is for `check.ts` to judge.
 */

import { CHECK_WASM } from './check-wasm.ts'

/** The longest text that is checked here. */
const TEXT_BYTES_MAX = 4 << 20
const PAGE_BYTES = 64 * 1024
/** Behind the module's own variables. Pages that nobody touches take no memory. */
const TEXT_AT = PAGE_BYTES
/** What the module writes behind a text. */
const PADDING_BYTES = 64

interface Exports {
  facts: WebAssembly.Global
  checkValue(from: number, to: number, countedDepth: number): number
  checkLines(from: number, to: number): number
}

const pages = Math.ceil((TEXT_AT + TEXT_BYTES_MAX + PADDING_BYTES) / PAGE_BYTES)
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
const module = new WebAssembly.Module(Buffer.from(CHECK_WASM, 'base64'))
const { checkValue, checkLines, facts } = new WebAssembly.Instance(module, { env: { memory } })
  .exports as unknown as Exports
const bytes = new Uint8Array(memory.buffer)
const told = new Uint32Array(memory.buffer, facts.value, 4)

/** The children of a JSON array that `text` is; of any other value it says nothing. Undefined: ask `check.ts`. */
export function quickChildren(text: Uint8Array): number | undefined {
  return isLoaded(text) && checkValue(TEXT_AT, TEXT_AT + text.length, 1) ? (told[0] as number) : undefined
}

/** What a collection's members are. */
export interface CollectionFacts {
  /** How many elements `data` has. */
  payloads: number
  /** Where the values of these members begin; 0 for one that is missing. Of equal names the last counts. */
  versionAt: number
  tokenAt: number
  dataAt: number
}

/** The members of a JSON object that `text` is. Undefined: ask `check.ts`. */
export function quickMembers(text: Uint8Array, into: CollectionFacts): boolean {
  if (!isLoaded(text) || !checkValue(TEXT_AT, TEXT_AT + text.length, 2)) return false
  into.payloads = told[0] as number
  into.versionAt = placeOf(told[1] as number)
  into.tokenAt = placeOf(told[2] as number)
  into.dataAt = placeOf(told[3] as number)
  return true
}

/** What lines are. */
export interface LineFacts {
  /** How many line feeds there are, those of blank lines included. */
  feeds: number
}

/** How many lines of `text` hold more than white space, when all of those are JSON. Undefined: ask `check.ts`. */
export function quickLines(text: Uint8Array, into?: LineFacts): number | undefined {
  if (!isLoaded(text)) return undefined
  const lines = checkLines(TEXT_AT, TEXT_AT + text.length)
  if (lines < 0) return undefined
  if (into) into.feeds = told[0] as number
  return lines
}

function isLoaded(text: Uint8Array): boolean {
  if (text.length > TEXT_BYTES_MAX) return false
  bytes.set(text, TEXT_AT)
  return true
}

/** No member's value is at a text's very beginning. */
function placeOf(address: number): number {
  return address === 0 ? 0 : address - TEXT_AT
}

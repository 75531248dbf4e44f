/** Where a command's words go: its result, and what is said beside it. */

import type { Variables } from '../config/load.ts'
import type { Platform } from '../platform/platform.ts'

/** What a command talks through. */
export interface Terminal {
  /** The result: standard output. Resolves when it is handed over, however slow its reader is. */
  print(text: string | Uint8Array): Promise<void>
  /** What goes wrong or goes on beside it: standard error. */
  note(text: string): void
  /** Whether somebody watches standard error. */
  isWatched: boolean
}

/** What every command works with. */
export interface Surroundings {
  platform: Platform
  env: Variables
  terminal: Terminal
}

/** The process's own streams. */
export function processTerminal(): Terminal {
  // A reader that has seen enough (`| head`) closes the pipe: no fault of the command's.
  process.stdout.on('error', () => process.exit(0))
  return {
    print: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    note: (text) => process.stderr.write(text),
    isWatched: process.stderr.isTTY === true,
  }
}

/** `1234567` → `1,234,567`. */
export function inDigits(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 object`, `2 objects`. */
export function count(value: number, noun: string): string {
  return `${inDigits(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** Lines of cells, each column as wide as its widest. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('')
}

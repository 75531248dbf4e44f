/** Runs the examples of a page as they stand: programs print what their comments say. */

import { expect } from 'bun:test'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Scratch } from './millrace.ts'

const ROOT = join(import.meta.dir, '..')

/** The code on a page of docs/: programs in their order, and modules that they name, by their file's name. */
export function codeOn(page: string) {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8')
  const blocks = [...text.matchAll(/(?:<!-- file: (\S+) -->\n)?```ts\n(.*?)```/gs)]
  return {
    files: blocks.flatMap(([, name, text = '']) => (name ? [{ name, text }] : [])),
    examples: blocks.flatMap(([, name, text = '']) => (name ? [] : [text])),
  }
}

/** Runs a program in a directory of its own, where `millrace` is these sources. */
export async function runExample(scratch: Scratch, name: string, text: string): Promise<void> {
  const wanted = [...text.matchAll(/\/\/ → (.*)/g)].map(([, line]) => `${line}`)
  expect(wanted).not.toEqual([])
  mkdirSync(scratch.at(name, 'node_modules'), { recursive: true })
  symlinkSync(ROOT, scratch.at(name, 'node_modules/millrace'))
  writeFileSync(scratch.at(name, 'example.ts'), text)
  const { PATH, HOME } = process.env
  const run = Bun.spawn([process.execPath, 'example.ts'], {
    cwd: scratch.at(name),
    env: { PATH, HOME },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [printed, errors] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()])
  expect([errors, inLines(printed)]).toEqual(['', wanted])
}

/** What is printed over several lines stands in one on the page, without the commas at their ends. */
function inLines(printed: string): string[] {
  const whole = printed
    .trim()
    .replace(/\n +/g, ' ')
    .replace(/\n([\]}])/g, ' $1')
  return whole.replace(/, ([\]}])/g, ' $1').split('\n')
}

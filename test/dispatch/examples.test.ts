/** The examples of docs/DISPATCH.md: each is run as it stands, and prints what its comments say. */

import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Scratch } from '../millrace.ts'
import { EXAMPLES, FILES } from './examples.ts'

const scratch = new Scratch()
afterAll(() => scratch[Symbol.dispose]())

mkdirSync(scratch.at('node_modules'))
symlinkSync(join(import.meta.dir, '../..'), scratch.at('node_modules/millrace'))
for (const { name, text } of FILES) writeFileSync(scratch.at(name), text)

test('there are some', () => expect([EXAMPLES.length, FILES.length]).toEqual([10, 1]))

test.each(EXAMPLES.map((text, i) => [i + 1, text] as const))('example %d', async (number, text) => {
  const wanted = [...text.matchAll(/\/\/ → (.*)/g)].map(([, line]) => `${line}`)
  expect(wanted).not.toEqual([])
  const file = scratch.at(`example-${number}.ts`)
  writeFileSync(file, text)
  const run = Bun.spawn([process.execPath, file], { stdout: 'pipe', stderr: 'pipe' })
  const [printed, errors] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()])
  expect([errors, printed.trim().split('\n')]).toEqual(['', wanted])
})

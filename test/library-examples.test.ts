/** The examples of docs/HANDLER.md: each is run as it stands, and prints what its comments say. */

import { afterAll, expect, test } from 'bun:test'
import { codeOn, runExample } from './examples-of.ts'
import { Scratch } from './millrace.ts'

const scratch = new Scratch()
afterAll(() => scratch[Symbol.dispose]())

const { examples } = codeOn('HANDLER.md')

test('there are some', () => expect(examples).toHaveLength(5))

test.each(examples.map((text, i) => [i + 1, text] as const))('example %d', async (number, text) => {
  await runExample(scratch, `${number}`, text)
})

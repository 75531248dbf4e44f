/** The page has all that it needs in it. */

import { expect, test } from 'bun:test'
import { pageOf, readPageParts } from '../../src/designs/page.ts'
import { someResult } from './result.ts'

const parts = await readPageParts()

/** The data in a page. */
function dataIn(page: string) {
  return JSON.parse(/<script id="data" type="application\/json">(.*?)<\/script>/s.exec(page)?.[1] ?? '')
}

test('it holds the figures, uPlot and its license', () => {
  const page = pageOf(someResult(), parts)
  expect(dataIn(page).result).toEqual(someResult())
  expect(page).toContain(parts.script)
  expect(page).toContain(parts.style)
  expect(page).toContain('Permission is hereby granted')
  expect(page).not.toMatch(/\/\*\{\w+\}\*\//)
})

test('it asks nobody for anything', () => {
  const page = pageOf(someResult(), parts)
  // uPlot's own name for itself, in a comment.
  expect(page.match(/https?:[^\s"']*/g)).toEqual(['https://github.com/leeoniya/uPlot'])
  expect(page.match(/\b(?:src|href)=[^\s>]*/g)).toEqual(['href="data:,"'])
  expect(page).not.toMatch(/@import|url\(|fetch\(|XMLHttpRequest|import\(/)
})

test('what is in it can not end a script', () => {
  const machine = '</script><script>alert("$&")</script>'
  const page = pageOf({ ...someResult(), machine }, { ...parts, script: 'const end = "</script>"' })
  expect(dataIn(page).result.machine).toBe(machine)
  expect(page.match(/<\/script>/g)).toHaveLength(parts.template.match(/<\/script>/g)!.length)
})

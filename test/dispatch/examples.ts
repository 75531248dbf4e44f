/** The code on the page docs/DISPATCH.md. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const page = readFileSync(join(import.meta.dir, '../../docs/DISPATCH.md'), 'utf8')
const blocks = [...page.matchAll(/(?:<!-- file: (\S+) -->\n)?```ts\n(.*?)```/gs)]

/** Modules that examples name, by their file's name. */
export const FILES = blocks.flatMap(([, name, text = '']) => (name ? [{ name, text }] : []))
/** Programs, in the order of the page. */
export const EXAMPLES = blocks.flatMap(([, name, text = '']) => (name ? [] : [text]))

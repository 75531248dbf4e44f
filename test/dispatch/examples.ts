/** The code on the page docs/DISPATCH.md. */

import { codeOn } from '../examples-of.ts'

/** Modules that examples name, and programs, in the order of the page. */
export const { files: FILES, examples: EXAMPLES } = codeOn('DISPATCH.md')

/**
 * Compiles the AssemblyScript of `src/*\/assembly` to WebAssembly, as text in a file of TypeScript beside its owner: what runs
 * needs no compiler. `--check` only compares, and fails on a difference.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
/** What is compiled, where to, and the constant's name. */
const MODULES = [
  { source: 'src/json/assembly/check.ts', target: 'src/json/check-wasm.ts', name: 'CHECK_WASM' },
  { source: 'src/delivery/assembly/lines.ts', target: 'src/delivery/lines-wasm.ts', name: 'LINES_WASM' },
]
const FLAGS = [
  '-O3',
  '--noAssert',
  '--enable',
  'simd',
  '--enable',
  'bulk-memory',
  '--runtime',
  'stub',
  '--importMemory',
  '--zeroFilledMemory',
]
const BASE64_LINE = 116

/** What is needed of the compiler. Its own types would bring AssemblyScript's globals into all of our TypeScript. */
interface Compiler {
  main(
    flags: readonly string[],
    io: {
      readFile(name: string, base: string): string | null
      writeFile(name: string, contents: Uint8Array | string): void
      listFiles(): null
    },
  ): Promise<{ error: Error | null; stderr: object }>
}
const compiler: Compiler = await import(join(ROOT, 'node_modules/assemblyscript/dist/asc.js'))

const check = process.argv.includes('--check')
let stale = 0
for (const { source, target, name } of MODULES) {
  const text = moduleText(source, name, await compiled(source))
  const path = join(ROOT, target)
  if (check && (!existsSync(path) || readFileSync(path, 'utf8') !== text)) {
    console.error(`${target} is not what ${source} says: run \`npm run wasm\``)
    stale += 1
  }
  if (!check) writeFileSync(path, text)
}
process.exit(stale === 0 ? 0 : 1)

async function compiled(source: string): Promise<Uint8Array> {
  let binary: Uint8Array | undefined
  const { error, stderr } = await compiler.main([source, ...FLAGS, '--outFile', 'out.wasm'], {
    readFile: (name, base) => {
      const path = join(ROOT, base, name)
      return existsSync(path) ? readFileSync(path, 'utf8') : null
    },
    writeFile: (_, contents) => {
      if (typeof contents !== 'string') binary = contents
    },
    listFiles: () => null,
  })
  if (error || !binary) throw new Error(`${source}: ${stderr}`, { cause: error })
  return binary
}

function moduleText(source: string, name: string, binary: Uint8Array): string {
  const base64 = Buffer.from(binary).toString('base64')
  const lines = base64.match(new RegExp(`.{1,${BASE64_LINE}}`, 'g')) ?? []
  const folder = source.slice(source.indexOf('assembly'))
  return `/** Compiled from \`${folder}\` by \`npm run wasm\`. Change that, not this file. */

export const ${name} =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`
}

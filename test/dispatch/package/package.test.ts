/** What is published: packed as npm packs it, `millrace/dispatch` works on Node and Bun, has its types, and bundles for a browser; and `millrace` works on Bun. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Scratch } from '../../millrace.ts'
import { EXAMPLES, FILES } from '../examples.ts'

const ROOT = join(import.meta.dir, '../../..')
/** A newer Node than the machine's can be named. */
const NODE = process.env['NODE_OF_TESTS'] ?? 'node'

const scratch = new Scratch()
afterAll(() => scratch[Symbol.dispose]())
const user = scratch.at('user')

/** What a program printed; its errors, when it failed. */
async function output(command: string[], cwd = user): Promise<string> {
  const run = Bun.spawn(command, { cwd, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, errors, code] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ])
  return code === 0 ? out.trim() : `exit code ${code}: ${out}${errors}`
}

beforeAll(async () => {
  const tarball = (await output(['npm', 'pack', '--silent', '--pack-destination', scratch.path], ROOT))
    .split('\n')
    .at(-1)
  const home = join(user, 'node_modules/millrace')
  mkdirSync(home, { recursive: true })
  // The library needs none of the server's packages, so that unpacking is all there is to installing.
  await output(['tar', '-xzf', scratch.at(`${tarball}`), '--strip-components=1', '-C', home])
  for (const file of ['smoke.mjs', 'smoke-thread.mjs']) cpSync(join(import.meta.dir, file), join(user, file))
  writeFileSync(join(user, 'package.json'), '{"type":"module"}')
})

test('it works on Node', async () => {
  expect(await output([NODE, 'smoke.mjs'])).toBe('fine')
})

test('it works on Bun', async () => {
  expect(await output([process.execPath, 'smoke.mjs'])).toBe('fine')
})

test('its types are there, and infer jobs and results; the examples keep to them', async () => {
  const typed = `import { Dispatcher } from 'millrace/dispatch'
     const dispatcher = new Dispatcher({ workers: 1, queue: 1, run: async (job: { n: number }) => job.n })
     export const result: Promise<number> = dispatcher.submit({ n: 1 })
     // @ts-expect-error
     dispatcher.offer({ m: 1 })`
  const examples = EXAMPLES.map((text, i) => ({ name: `example-${i + 1}.ts`, text }))
  const files = [{ name: 'typed.ts', text: typed }, ...FILES, ...examples]
  for (const { name, text } of files) writeFileSync(join(user, name), text)
  const options = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2024,esnext.disposable,dom']
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit']
  const tsc = [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc')]
  expect(await output([...tsc, ...strict, ...options, ...files.map(({ name }) => name)])).toBe('')
})

test('the server from code works on Bun, and has its types: those of a function’s payloads are what it says', async () => {
  const run = `import { millrace } from 'millrace'
     const server = await millrace({ port: 0, data: 'data', to() {} })
     console.log((await server.status()).ready)
     await server.stop()`
  writeFileSync(join(user, 'server.ts'), run)
  expect(await output([process.execPath, 'server.ts'])).toBe('true')
  const typed = `import { millrace, DeadLetter, Fault } from 'millrace'
     export const running = millrace({ to: async (orders: { id: number }[], { receipt, signal }) => {
       signal.throwIfAborted()
       if (orders.some(({ id }) => id < 0)) throw new DeadLetter(receipt)
     }, batch: 'payload' })
     export const url: Promise<string> = running.then((server) => server.url)
     export const plain = millrace({ to: 's3://bucket', lingerMs: 5000 })
     export const code = (fault: Fault): 'data_locked' | undefined => fault.code === 'data_locked' ? fault.code : undefined
     // @ts-expect-error
     void millrace({ to: 's3://bucket', batch: 'payload' })
     // @ts-expect-error
     void millrace({ to() {}, lingerMs: '5s' })`
  writeFileSync(join(user, 'typed-server.ts'), typed)
  // Whoever is on Bun has its types.
  const options = ['--module', 'nodenext', '--target', 'esnext', '--types', 'bun']
  const tsc = [
    process.execPath,
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '--typeRoots',
    join(ROOT, 'node_modules/@types'),
  ]
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit']
  expect(await output([...tsc, ...strict, ...options, 'typed-server.ts'])).toBe('')
})

test('it bundles for a browser, where nothing of Node is imported', async () => {
  const entry = join(user, 'browser.js')
  writeFileSync(entry, `export { Dispatcher } from './node_modules/millrace/dist/dispatch/index.js'`)
  const { outputs } = await Bun.build({ entrypoints: [entry], target: 'browser' })
  const bundle = await outputs[0]?.text()
  expect(bundle).toContain('class Dispatcher')
  expect(bundle).not.toMatch(/(from|import|require)\s*\(?\s*["'](node|bun):/)
})

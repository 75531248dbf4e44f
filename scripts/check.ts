/**
 * What `npm test` runs: every check of package.json and every test, then one line with how many passed and how many failed
 * (a check counts as one). With arguments it only hands them to `bun test`: `npm test -- test/json/check.test.ts`.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }

/** How long a test may take: what only a test that hangs does. A disk that is busy with others keeps one waiting for seconds. */
const TEST_MS_MAX = 60_000

interface Totals {
  passed: number
  failed: number
}

/** The checks: what to run, and what a run that did look at something says. */
const CHECKS = [
  { name: 'lint', command: packageJson.scripts.lint, says: /Checked [1-9]/ },
  { name: 'typecheck', command: packageJson.scripts.typecheck },
  // Without a TypeScript it understands, dependency-cruiser looks at no module and is content.
  { name: 'arrows', command: packageJson.scripts.arrows, says: /\([1-9]\d* modules/ },
  { name: 'docs', command: `${packageJson.scripts.docs} --check` },
  { name: 'wasm', command: `${packageJson.scripts.wasm} --check` },
]

const root = join(import.meta.dir, '..')
const environment = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) }

async function check(name: string, command: string, says = /(?:)/): Promise<Totals> {
  console.log(`── ${name}`)
  const run = Bun.spawn(['sh', '-c', `{ ${command}; } 2>&1`], { cwd: root, env: environment, stdin: 'ignore' })
  const output = await new Response(run.stdout).text()
  process.stdout.write(output)
  const passed = (await run.exited) === 0 && says.test(output)
  if (!passed) console.log(`✗ ${name} failed: ${command}`)
  return passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

async function test(what: string[]): Promise<Totals> {
  console.log('── test')
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  try {
    const report = Bun.file(join(directory, 'report.xml'))
    const reporter = ['--reporter=junit', `--reporter-outfile=${report.name}`]
    const run = Bun.spawn([process.execPath, 'test', `--timeout=${TEST_MS_MAX}`, ...reporter, ...what], {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const ok = (await run.exited) === 0
    const suites = (await report.exists()) ? /<testsuites[^>]*>/.exec(await report.text())?.[0] : undefined
    const count = (attribute: string) => Number(new RegExp(` ${attribute}="(\\d+)"`).exec(suites ?? '')?.[1] ?? 0)
    const failed = count('failures')
    const passed = count('tests') - failed - count('skipped')
    if (passed + failed === 0) console.log('✗ no test ran')
    // A run can fail without a failed test: a file that doesn't load, an error between tests, a crash.
    const other = (!ok && failed === 0) || passed + failed === 0
    return { passed, failed: failed + (other ? 1 : 0) }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const asked = process.argv.slice(2)
const all: Totals[] = []
if (asked.length === 0) for (const { name, command, says } of CHECKS) all.push(await check(name, command, says))
all.push(await test(asked.length === 0 ? ['./test'] : asked))

const passed = all.reduce((sum, totals) => sum + totals.passed, 0)
const failed = all.reduce((sum, totals) => sum + totals.failed, 0)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

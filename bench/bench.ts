/** The command `npm run bench`: which questions, how hard; asks them one after another and keeps their answers. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killAll } from '../src/designs/processes.ts'
import { type Commit, type Machine, thisCommit, thisMachine } from './machine.ts'
import type { Column, Question, Run, Session } from './question.ts'
import { QUESTIONS } from './questions.ts'
import { readResult, writeResult } from './result.ts'
import { type Asked, commandOf, misplacedFlag, parseSettings, type Settings, settingsFor, USAGE } from './settings.ts'
import { barRows, mediansTable, number } from './tables.ts'
import { missingTools } from './tools.ts'

process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  const asked = parseSettings(args)
  if (typeof asked === 'string') return wrong(asked)
  if (asked.help) {
    const names = QUESTIONS.map(({ name, what }) => `  ${name.padEnd(16)} ${what}`)
    console.log(`${USAGE}\n\nNames (all when none is given):\n${names.join('\n')}`)
    return 0
  }
  const unknown = asked.names.filter((name) => !QUESTIONS.some((question) => question.name === name))
  if (unknown.length > 0)
    return wrong(`there is no ${unknown.join(', ')}; there are ${QUESTIONS.map(({ name }) => name).join(', ')}`)
  const questions = QUESTIONS.filter(({ name }) => asked.names.length === 0 || asked.names.includes(name))
  const misplaced = misplacedFlag(asked, questions, QUESTIONS)
  if (misplaced !== undefined) return wrong(misplaced)
  const missing = missingTools(questions.flatMap(({ needs }) => needs))
  if (missing.length > 0) return wrong(missing.join('\n'))

  const scratch = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const leave = () => {
    killAll()
    rmSync(scratch, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      leave()
      process.exit(1)
    })
  }
  let unanswered = 0
  try {
    const origin = { machine: thisMachine(), ...thisCommit() }
    if (origin.machine.disk === 'tmpfs') console.log(`${tmpdir()} is in memory, where a sync costs nothing: set TMPDIR`)
    for (const question of questions) {
      try {
        await answer(question, asked, scratch, origin)
      } catch (error) {
        // One that can't be answered doesn't keep the others from it.
        unanswered += 1
        console.error(`${question.name} has no answer: ${(error as Error).message}`)
        killAll()
      }
    }
  } finally {
    leave()
  }
  return unanswered === 0 ? 0 : 1
}

/** Asks one question, prints its table, and keeps its result. */
async function answer(question: Question, asked: Asked, scratch: string, origin: Origin): Promise<void> {
  const settings = settingsFor(asked, question.defaults)
  console.log(`\n── ${question.name}: ${question.what}`)
  const runs: Run[] = []
  await question.ask(newSession(settings, scratch, question.columns, runs))
  printAnswer(question, runs)
  const kept = readResult(question.name)
  if (question.compare && kept && !asked.keep) {
    for (const line of question.compare(runs, kept.runs)) console.log(`  ${line}`)
    return
  }
  if (asked.quick) return
  const command = commandOf(question.name, settings)
  writeResult({ question: question.name, command, at: new Date().toISOString(), ...origin, runs })
}

function printAnswer(question: Question, runs: readonly Run[]): void {
  const { heads, rows } = mediansTable(question, runs)
  console.log('\nMedians:')
  for (const [contender, ...cells] of rows) {
    const figures = cells.flatMap((cell, i) => (cell === '' ? [] : `${heads[i + 1]} ${cell}`))
    console.log(`  ${contender}: ${figures.join(', ')}`)
  }
  for (const { number, what, wanted, measured = 'not measured', isReached } of barRows(question, runs)) {
    console.log(`  Bar ${number}, ${what}: ${measured}, ${wanted} is wanted: ${isReached ? 'reached' : 'missed'}`)
  }
}

/** What a result says of where it comes from. */
type Origin = Commit & { machine: Machine }

function newSession(settings: Settings, scratch: string, columns: readonly Column[], runs: Run[]): Session {
  let directories = 0
  return {
    settings,
    directory(name) {
      const path = join(scratch, `${name}-${Bun.nanoseconds()}-${directories++}`)
      mkdirSync(path)
      return path
    },
    add(run) {
      runs.push(run)
      const figures = columns.flatMap(({ figure, head, digits }) => {
        const value = run.figures[figure]
        return value === undefined ? [] : `${head} ${number(value, digits)}`
      })
      console.log(`  round ${run.round + 1}, ${run.contender}: ${figures.join(', ')}`)
    },
    say: (line) => console.log(`  ${line}`),
  }
}

function wrong(message: string): number {
  console.error(message)
  return 2
}

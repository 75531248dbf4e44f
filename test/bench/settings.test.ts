/** What the command line asks of the bench, and the command that a result is kept with. */

import { expect, test } from 'bun:test'
import { QUESTIONS } from '../../bench/questions.ts'
import { type Asked, commandOf, misplacedFlag, parseSettings, settingsFor, USAGE } from '../../bench/settings.ts'
import { missingTools } from '../../bench/tools.ts'

const asked = (...args: string[]) => parseSettings(args) as Asked

test('what was said wins over the question’s own, and that over everybody’s', () => {
  const said = asked('batch', 'single', '--seconds', '7', '--backlog', '10GiB')
  expect(said.names).toEqual(['batch', 'single'])
  const settings = settingsFor(said, { seconds: 60, rounds: 2 })
  expect(settings).toMatchObject({ seconds: 7, rounds: 2, backlogBytes: 10 * 2 ** 30 })
  expect(settingsFor(asked('--quick'), { seconds: 60 })).toMatchObject({ seconds: 1, rounds: 1 })
})

test('a wrong argument is refused with its name', () => {
  expect(parseSettings(['--seconds', '0'])).toContain('--seconds')
  expect(parseSettings(['--rounds', 'many'])).toContain('many')
  expect(parseSettings(['--backlog', '10'])).toContain('--backlog')
  expect(parseSettings(['--nope'])).toContain('--nope')
})

test.each([
  [['single', '--rate', '1000'], '--rate is for batch, and means nothing to single'],
  [['batch', 'landed', '--rate', '1000'], '--rate is for batch, and means nothing to landed'],
  [['single', '--backlog', '1MiB'], '--backlog is for memory, growth, and means nothing to single'],
  [['peers', 'lanes', '--keep'], '--keep is for guard, and means nothing to peers, lanes'],
  [['batch', '--rate', '1000'], undefined],
  [['growth', 'memory', '--backlog', '1MiB'], undefined],
  [['guard', '--keep'], undefined],
  [['single', '--seconds', '1', '--warmup', '1', '--rounds', '1', '--quick'], undefined],
])('%p: a flag that means nothing to a question is refused, with whom it is for', (args, message) => {
  const said = asked(...args)
  const questions = said.names.flatMap((name) => QUESTIONS.find((question) => question.name === name) ?? [])
  expect(misplacedFlag(said, questions, QUESTIONS)).toBe(message as string)
})

test('the usage says whom a flag is for, and who compares with what is kept can be told to keep', () => {
  for (const flag of ['rate', 'backlog', 'keep'] as const) {
    const takers = QUESTIONS.filter(({ takes }) => takes?.includes(flag)).map(({ name }) => name)
    expect(USAGE).toMatch(new RegExp(`--${flag} .*${takers.join(', ')}: `))
  }
  for (const { compare, takes = [] } of QUESTIONS) expect(takes.includes('keep')).toBe(compare !== undefined)
})

test('the command that is kept with a result asks for the same again', () => {
  const settings = settingsFor(asked('batch', '--rate', '900000', '--backlog', '2GiB'), { seconds: 60 })
  const command = commandOf('batch', settings)
  expect(command).toStartWith('npm run bench -- batch ')
  const again = asked(...command.split(' ').slice(4))
  expect(again.names).toEqual(['batch'])
  expect(settingsFor(again)).toEqual(settings)
})

test('what is missing is named once, with how to install it', () => {
  const find = (tool: string) => (tool === 'wrk' ? null : `/usr/bin/${tool}`)
  expect(missingTools(['wrk', 'go', 'wrk'], find)).toEqual([
    expect.stringMatching(/^wrk is missing/),
    'On Debian: apt-get install -y wrk',
  ])
  expect(missingTools(['go'], find)).toEqual([])
})

/** Options: where values come from, how they are written, and how a wrong one is refused. */

import { describe, expect, test } from 'bun:test'
import { COMMANDS, type CommandName, type CommandRow, FLAGS } from '../../src/config/commands.ts'
import { commandHelpText, helpText } from '../../src/config/help.ts'
import { loadOptions } from '../../src/config/load.ts'
import type { OptionRow } from '../../src/config/option-row.ts'
import { allowedValues } from '../../src/config/option-values.ts'
import { OPTIONS, type Options } from '../../src/config/options.ts'
import { formatDuration, formatSize, parseDuration, parseMoment, parseSize } from '../../src/config/units.ts'
import { Millrace } from '../millrace.ts'

const ROWS = Object.entries(OPTIONS) as [keyof Options, OptionRow][]

function options(args: string[], env: Record<string, string> = {}): Options {
  const loaded = loadOptions(args, env)
  if (loaded.kind !== 'options') throw new Error(JSON.stringify(loaded))
  return loaded.options
}

function wrong(args: string[], env: Record<string, string> = {}): string[] {
  const loaded = loadOptions(args, env)
  return loaded.kind === 'wrong' ? loaded.messages : []
}

describe('where a value comes from', () => {
  test('the defaults are the documented ones', () => {
    expect(options([])).toMatchObject({
      port: 8080,
      host: '127.0.0.1',
      data: './data',
      compression: 'zstd',
      lingerMs: 5000,
      objectBytesMax: 64 * 1024 ** 2,
      maxWorkers: 32,
      journalBytesMax: 10 * 1024 ** 3,
      stopGraceMs: 20_000,
    })
    expect(options([]).maxQueue).toBeUndefined()
    expect(options([]).to).toBeUndefined()
    expect(options([]).threads).toBeGreaterThanOrEqual(1)
  })

  test('a flag wins over the environment, the environment over the default', () => {
    expect(options([], { MAX_WORKERS: '7' }).maxWorkers).toBe(7)
    expect(options(['--max-workers', '9'], { MAX_WORKERS: '7' }).maxWorkers).toBe(9)
    expect(options(['--max-workers=9'], { MAX_WORKERS: '7' }).maxWorkers).toBe(9)
  })

  test('of two equal flags the last wins, so that a script can be called with more', () => {
    expect(options(['--port', '1', '--port=2']).port).toBe(2)
  })

  test('an empty environment variable counts as not set', () => {
    expect(options([], { PORT: '' }).port).toBe(8080)
  })

  test.each(ROWS)('%s: its flag and its variable are both read', (name, row) => {
    const last = row.choices?.at(-1) ?? ''
    const texts = { count: '3', counts: '3,4', duration: '7s', size: '2MiB', text: 'some/where' }
    const text = { ...texts, choice: last, choices: last }[row.kind]
    const byFlag = options([`--${row.flag}`, text])[name]
    expect(byFlag).toBeDefined()
    expect(byFlag).not.toEqual(options([])[name] as never)
    expect(options([], { [row.env]: text })[name]).toEqual(byFlag as never)
  })
})

describe('a wrong value', () => {
  test.each([
    [['--linger', '5'], "--linger is '5'; allowed is a duration such as 500ms, 5s or 10m from 10ms to 1h"],
    [['--linger', '9ms'], "--linger is '9ms'; allowed is a duration such as 500ms, 5s or 10m from 10ms to 1h"],
    [['--port', '65536'], "--port is '65536'; allowed is a whole number from 0 to 65535"],
    [['--port', '-1'], "--port is '-1'; allowed is a whole number from 0 to 65535"],
    [['--port', '1e3'], "--port is '1e3'; allowed is a whole number from 0 to 65535"],
    [['--object-bytes-max', '64MB'], /^--object-bytes-max is '64MB'; allowed is a size such as 64KiB/],
    [['--compression', 'lz4'], "--compression is 'lz4'; allowed is zstd, gzip, none"],
    [['--threads', ''], "--threads is ''; allowed is a whole number from 1 to 256"],
    [['--linge', '5s'], '--linge is not an option (did you mean --linger?); see --help'],
    [['--bogus'], '--bogus is not an option; see --help'],
    [['--port'], '--port needs a value'],
    [['--port', '--linger=5s'], '--port needs a value'],
    [['s3://bucket'], "'s3://bucket' is not an option; see --help"],
  ])('%p is named, with the value and what is allowed', (args, message) => {
    expect(wrong(args)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
  })

  test('from the environment, the variable is named', () => {
    expect(wrong([], { MAX_QUEUE: '0' })).toEqual(["MAX_QUEUE is '0'; allowed is a whole number from 1"])
  })

  test('all that is wrong is said at once', () => {
    expect(wrong(['--port', 'x', '--linger', 'y'], { MAX_WORKERS: 'z' })).toHaveLength(3)
  })

  test.each([
    [['--port', 'http'], /config_invalid.*\n {2}--port is 'http'/],
    [['--to', 'ftp://host/x'], /config_invalid.*\n {2}--to is 'ftp:\/\/host\/x': 'ftp' is not a kind of destination/],
    [
      ['--to', 'http://me:s3cret@a,http://b'],
      /config_invalid.*\n {2}--to is 'http:\/\/\(secret\)@a,http:\/\/b': user and password/,
    ],
    [['--to', 's3://me:s3cret@bucket'], /config_invalid.*\n {2}--to is 's3:\/\/\(secret\)@bucket': credentials/],
    [['--to', 'http://a', '--format', 'payload'], /config_invalid.*\n {2}--format is payload: servers take lines only/],
    [['--to', 's3://bucket'], /config_invalid.*\n {2}--to is 's3:\/\/bucket': no AWS region .*AWS_REGION/],
  ])('%p ends the program with exit code 2 before anything is made', async (args, message) => {
    await using millrace = Millrace.spawn(args)
    expect(await millrace.exited).toEqual({ code: 2, signal: null })
    expect(millrace.output).toMatch(message)
    expect(millrace.output).not.toContain('s3cret')
  })
})

describe('units', () => {
  test.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1.5s', 1500],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['5', undefined],
    ['5 s', undefined],
    ['-5s', undefined],
    ['5S', undefined],
    ['0.1ms', undefined],
    ['', undefined],
  ])('duration %p is %p ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  test.each([
    ['1B', 1],
    ['64KiB', 65_536],
    ['1.5MiB', 1_572_864],
    ['10GiB', 10_737_418_240],
    ['64', undefined],
    ['64KB', undefined],
    ['64kib', undefined],
  ])('size %p is %p bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))

  test.each([
    ['24h', Date.UTC(2026, 10, 20, 1)],
    ['90m', Date.UTC(2026, 10, 20, 23, 30)],
    ['2026-11-20', Date.UTC(2026, 10, 20)],
    ['2026-11-20T10:00Z', Date.UTC(2026, 10, 20, 10)],
    ['2026-11-20T10:00:00Z', Date.UTC(2026, 10, 20, 10)],
    ['2026-11-20T10:00:00.123Z', Date.UTC(2026, 10, 20, 10, 0, 0, 123)],
    ['2026-11-20T10:00:00', undefined],
    ['2026-13-01', undefined],
    ['yesterday', undefined],
    ['24', undefined],
    ['', undefined],
  ])('moment %p is %p', (text, ms) => expect(parseMoment(text, Date.UTC(2026, 10, 21, 1))).toBe(ms))

  test('what is written is read back', () => {
    for (const ms of [1, 999, 1000, 90_000, 3_600_000]) expect(parseDuration(formatDuration(ms))).toBe(ms)
    for (const bytes of [1, 1023, 1024, 65_536, 10_737_418_240]) expect(parseSize(formatSize(bytes))).toBe(bytes)
  })
})

describe('help and version', () => {
  test('the help names every option, its variable and its default', () => {
    const text = helpText('1.2.3')
    for (const [, row] of ROWS) {
      expect(text).toContain(`--${row.flag} `)
      expect(text).toContain(`[${row.env}; default: ${row.defaultMeans ?? row.default ?? 'none'}]`)
    }
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
  })

  test('--help and --version print and exit 0, whatever else stands there', async () => {
    await using help = Millrace.spawn(['--help', '--port', 'x'])
    expect(await help.exited).toEqual({ code: 0, signal: null })
    expect(help.output).toContain('Usage: millrace')
    await using version = Millrace.spawn(['--version'])
    await version.exited
    expect(version.output).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('the help names every command, and the help of each its flags', () => {
    for (const [name, row] of Object.entries(COMMANDS) as [CommandName, CommandRow][]) {
      expect(helpText('1.2.3')).toContain(`  ${row.words}`)
      const text = commandHelpText(name)
      for (const flag of row.flags) expect(text).toContain(`--${FLAGS[flag].flag}`)
      for (const option of row.options) expect(text).toContain(`--${OPTIONS[option].flag} `)
      expect(row.what).toEndWith('.')
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
    }
  })

  test('every row says what it allows in words that fit its bounds', () => {
    for (const [, row] of ROWS) {
      if (row.min !== undefined) expect(allowedValues(row)).toContain('from')
      expect(row.what).toEndWith('.')
    }
  })
})

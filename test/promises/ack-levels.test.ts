/** An ack names what is true: in memory, on the disk, or at the destination, and the last of them before the objects are. */

import { expect, test } from 'bun:test'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObject, readObjectsIn } from '../objects.ts'

const JSON_TYPE = 'application/json'
const STORED = '/payloads?ack=stored'

test('stored: 201 with the objects’ names, long before the linger, and they are there', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const response = await millrace.post(STORED, JSON_TYPE, '[1,{"two":2}]')
  expect(response.status).toBe(201)
  const { receipt, accepted, ack, objects } = (await response.json()) as Record<string, never>
  expect([accepted, ack]).toEqual([2, 'stored'] as never[])
  expect(objects).toEqual(objectNamesIn(scratch.at('data/objects')) as never)
  const lines = readObjectsIn(scratch.at('data/objects'))
  expect(lines).toMatchObject([
    { receipt, index: 0, payload: '1' },
    { receipt, index: 1, payload: '{"two":2}' },
  ])
})

test('stored: many who wait at once share an object', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--ack-stored-linger', '1s']
  await using millrace = await Millrace.start(args)
  const posts = Array.from({ length: 50 }, (_, i) => millrace.post(STORED, JSON_TYPE, `${i}`))
  const answers = (await Promise.all(posts.map(async (post) => (await post).json()))) as { objects: string[] }[]
  expect(new Set(answers.flatMap(({ objects }) => objects)).size).toBe(1)
  expect(readObjectsIn(scratch.at('data/objects'))).toHaveLength(50)
})

test('stored: names every object that a body was cut into, and none when there was no payload', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--object-bytes-max', '64KiB', '--compression', 'none']
  await using millrace = await Millrace.start(args)
  const body = JSON.stringify(Array.from({ length: 2000 }, (_, i) => `payload ${i}`))
  const response = await millrace.post(STORED, JSON_TYPE, body)
  const { objects } = (await response.json()) as { objects: string[] }
  expect(objects.length).toBeGreaterThan(2)
  expect([...objects].sort()).toEqual(objectNamesIn(scratch.at('data/objects')))
  const empty = await millrace.post(STORED, JSON_TYPE, '[]')
  expect([empty.status, await empty.json()]).toMatchObject([201, { accepted: 0, ack: 'stored', objects: [] }])
})

test('stored, and the destination doesn’t take it in time: 202, "ack": "disk", and it is stored once it can be', async () => {
  using scratch = new Scratch()
  writeFileSync(scratch.at('objects'), 'a file where the directory should be')
  const args = ['--data', scratch.at('data'), '--to', scratch.at('objects'), '--ack-stored-timeout', '100ms']
  await using millrace = await Millrace.start(args)
  const response = await millrace.post(STORED, JSON_TYPE, '"kept"')
  expect(response.status).toBe(202)
  const answer = (await response.json()) as Record<string, unknown>
  expect(answer).toMatchObject({ accepted: 1, ack: 'disk', receipt: expect.any(String) })
  expect(answer['objects']).toBeUndefined()
  rmSync(scratch.at('objects'))
  mkdirSync(scratch.at('objects'))
  expect(await millrace.stop()).toMatchObject({ code: 0 })
  expect(readObjectsIn(scratch.at('objects')).map(({ payload }) => payload)).toEqual(['"kept"'])
})

test('stored, and the server stops meanwhile: whoever waits gets an answer that is true', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--ack-stored-linger', '1h']
  await using millrace = await Millrace.start(args)
  const stored = millrace.post(STORED, JSON_TYPE, '1')
  // Kept once a later one is: they are answered in the order of the journal.
  expect((await millrace.post('/payloads', JSON_TYPE, '2')).status).toBe(202)
  expect(await millrace.stop()).toMatchObject({ code: 0 })
  const { ack, objects = [] } = (await (await stored).json()) as { ack: string; objects?: string[] }
  expect(ack).toBe('stored')
  const lines = objects.flatMap((name) => readObject(name, readFileSync(scratch.at('data/objects', name))))
  expect(lines.map(({ payload }) => payload)).toContain('1')
})

test('memory: 202 at once, without a receipt, and stored like all others', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const response = await millrace.post('/payloads?ack=memory', JSON_TYPE, '"light"')
  expect([response.status, await response.json()]).toEqual([202, { accepted: 1, ack: 'memory' }])
  await millrace.stop()
  expect(readObjectsIn(scratch.at('data/objects')).map(({ payload }) => payload)).toEqual(['"light"'])
})

test('the default level can be another, on every intake path', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--ack-default', 'stored', '--ack-stored-linger', '1ms']
  await using millrace = await Millrace.start(args)
  const bodies = [
    ['/payload', JSON_TYPE, '{"version":"1","token":"t","data":[1]}'],
    ['/payloads', JSON_TYPE, '1'],
    ['/payloads', 'application/x-ndjson', '1\n2\n'],
    ['/submit', 'application/x-www-form-urlencoded', 'message=hi'],
  ] as const
  for (const [path, type, body] of bodies) {
    const stored = await millrace.post(path, type, body)
    expect([path, stored.status, await stored.json()]).toMatchObject([path, 201, { ack: 'stored' }])
    const disk = await millrace.post(`${path}?ack=disk`, type, body)
    expect([path, disk.status, await disk.json()]).toMatchObject([path, 202, { ack: 'disk' }])
  }
})

test('a default that is not among the levels allowed is refused at the start', async () => {
  using scratch = new Scratch()
  const millrace = Millrace.spawn([
    '--data',
    scratch.at('data'),
    '--ack-allow',
    'disk, stored',
    '--ack-default',
    'memory',
  ])
  expect(await millrace.exited).toEqual({ code: 2, signal: null })
  expect(millrace.output).toContain("--ack-default is 'memory': --ack-allow leaves only disk, stored")
})

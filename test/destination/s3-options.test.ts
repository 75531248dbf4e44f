/** From a URL and the standard AWS environment to a place in S3, or to words that say what to change. */

import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { s3OptionsFrom } from '../../src/destination/s3-options.ts'

const REGION = { AWS_REGION: 'eu-west-1' }

function errorOf(url: string, env: Record<string, string> = REGION): string {
  const got = s3OptionsFrom(url, env, () => undefined)
  return got.kind === 'error' ? got.error : `accepted: ${JSON.stringify(got.options)}`
}

function optionsOf(url: string, env: Record<string, string> = REGION, files: Record<string, string> = {}) {
  const got = s3OptionsFrom(url, env, (path) => files[path])
  return got.kind === 'ok' ? got.options : got.error
}

test.each([
  ['s3://logs', ''],
  ['s3://logs/', ''],
  ['s3://logs//', ''],
  ['s3://logs/a', 'a'],
  ['s3://logs/a/b/', 'a/b'],
  ['s3://logs//a/b//', 'a/b'],
  ['s3://logs/a b/ü%20?x#y', 'a b/ü%20?x#y'],
])('the prefix is what is written, without slashes at its ends: %s', (url, prefix) => {
  expect(optionsOf(url)).toEqual({ bucket: 'logs', prefix, region: 'eu-west-1', endpoint: undefined })
})

test.each(['abc', 'a'.repeat(63), 'my.logs', 'my-logs-1', '1logs', 'logs-abc123-s3alias', '1.2.3.4a'])(
  'a bucket name that S3 allows: %s',
  (bucket) => {
    expect(optionsOf(`s3://${bucket}/p`)).toMatchObject({ bucket })
  },
)

test.each([
  ['', '3 to 63'],
  ['ab', '3 to 63'],
  ['a'.repeat(64), '3 to 63'],
  ['Logs', 'only a-z'],
  ['my_logs', 'only a-z'],
  ['lögs', 'only a-z'],
  ['arn:aws:s3:::logs', 'only a-z'],
  ['-logs', 'begin and end'],
  ['logs-', 'begin and end'],
  ['.logs', 'begin and end'],
  ['logs.', 'begin and end'],
  ['my..logs', 'two dots'],
  ['192.168.5.4', 'IP address'],
  ['xn--logs', 'begin with xn--'],
  ['sthree-logs', 'begin with sthree-'],
  ['amzn-s3-demo-logs', 'begin with amzn-s3-demo-'],
  ['logs--ol-s3', 'end with --ol-s3'],
  ['logs.mrap', 'end with .mrap'],
  ['logs--table-s3', 'end with --table-s3'],
  ['logs--use1-az4--x-s3', 'directory buckets'],
])('a bucket name that S3 does not allow is refused with its rule: %s', (bucket, rule) => {
  expect(errorOf(`s3://${bucket}/p`)).toStartWith(`'${bucket}' is not an S3 bucket name: `)
  expect(errorOf(`s3://${bucket}/p`)).toContain(rule)
})

test.each([
  ['s3://logs/a//b', 'two slashes'],
  ['s3://logs/a/../b', "'..'"],
  ['s3://logs/./b', "'.'"],
  ['s3://logs/a\u0000b', 'control character'],
  ['s3://logs/a\nb', 'control character'],
  ['s3://logs/a\ud800b', 'Unicode'],
  [`s3://logs/${'ü'.repeat(257)}`, '512 bytes'],
  ['s3:/logs', 's3://bucket/prefix'],
  ['http://logs/a', 's3://bucket/prefix'],
  ['x s3://logs', 's3://bucket/prefix'],
])('a URL that would not do is refused: %j', (url, words) => {
  expect(errorOf(url)).toContain(words)
})

test('a prefix of exactly the longest length is taken', () => {
  expect(optionsOf(`s3://logs/${'ü'.repeat(256)}`)).toMatchObject({ prefix: 'ü'.repeat(256) })
})

test('credentials in the URL are refused without being repeated', () => {
  const error = errorOf('s3://AKIA:hunter2@logs/p')
  expect(error).toContain('do not belong')
  expect(error).not.toContain('hunter2')
})

test('the region is looked for where AWS documents it, in its order', () => {
  const all = { AWS_REGION: 'a-1', AWS_DEFAULT_REGION: 'b-1', AWS_CONFIG_FILE: '/c' }
  const files = { '/c': '[default]\nregion = c-1\n' }
  expect(optionsOf('s3://logs', all, files)).toMatchObject({ region: 'a-1' })
  expect(optionsOf('s3://logs', { ...all, AWS_REGION: '' }, files)).toMatchObject({ region: 'b-1' })
  expect(optionsOf('s3://logs', { AWS_CONFIG_FILE: '/c' }, files)).toMatchObject({ region: 'c-1' })
  const home = { '/home/x/.aws/config': '[default]\nregion=d-1' }
  expect(optionsOf('s3://logs', { HOME: '/home/x' }, home)).toMatchObject({ region: 'd-1' })
})

test('the region is that of the profile in use, and of no other', () => {
  const text = `# a comment
[default]
output = json
[profile other]
region = other-1
s3 =
  region = nested-1
[profile ours]
s3 =
  region = nested-1
region=ours-1\r
[sso-session ours2]
region = session-1`
  const at = (profile?: string) =>
    optionsOf('s3://logs', { AWS_CONFIG_FILE: '/c', ...(profile ? { AWS_PROFILE: profile } : {}) }, { '/c': text })
  expect(at('ours')).toMatchObject({ region: 'ours-1' })
  expect(at('other')).toMatchObject({ region: 'other-1' })
  expect(at()).toContain('set AWS_REGION')
  expect(at('ours2')).toContain('set AWS_REGION')
})

test('the shared config file is read from the disk; one that is missing counts as none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-s3-'))
  const file = join(folder, 'config')
  expect(s3OptionsFrom('s3://logs', { AWS_CONFIG_FILE: file }).kind).toBe('error')
  writeFileSync(file, '[default]\nregion = eu-north-1\n')
  expect(s3OptionsFrom('s3://logs', { AWS_CONFIG_FILE: file })).toMatchObject({ options: { region: 'eu-north-1' } })
  rmSync(folder, { recursive: true })
})

test('AWS without a region is refused; another store does without', () => {
  expect(errorOf('s3://logs', {})).toContain('set AWS_REGION')
  expect(optionsOf('s3://logs', { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:7480' })).toMatchObject({
    region: 'us-east-1',
    endpoint: 'http://127.0.0.1:7480',
  })
})

test.each(['eu-west-1.evil.example/', 'eu west', 'a'.repeat(65), '../x'])(
  'what is no region never gets into a host name: %s',
  (region) => {
    expect(errorOf('s3://logs', { AWS_REGION: region })).toContain('is not an AWS region')
  },
)

test('the endpoint for S3 comes before the one for all of AWS, without slashes at its end', () => {
  const both = { AWS_ENDPOINT_URL_S3: 'https://a.example/s3//', AWS_ENDPOINT_URL: 'https://b.example' }
  expect(optionsOf('s3://logs', both)).toMatchObject({ endpoint: 'https://a.example/s3' })
  expect(optionsOf('s3://logs', { ...both, AWS_ENDPOINT_URL_S3: '' })).toMatchObject({ endpoint: 'https://b.example' })
})

test.each([
  '127.0.0.1:7480',
  'ftp://x',
  'http://',
  'http://u:hunter2@x',
  'http://u@x',
  'http://:hunter2@x',
  'http://x/?a=b',
  'http://x/#a',
])('an endpoint that is no plain http URL is refused by its name, not its value: %s', (endpoint) => {
  const error = errorOf('s3://logs', { AWS_ENDPOINT_URL_S3: endpoint })
  expect(error).toStartWith('AWS_ENDPOINT_URL_S3 is not')
  expect(error).not.toContain('hunter2')
  expect(errorOf('s3://logs', { AWS_ENDPOINT_URL: endpoint })).toStartWith('AWS_ENDPOINT_URL is not')
})

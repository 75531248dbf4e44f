/** The text of `--help`, made from the option rows. */

import { OPTIONS, type OptionRow } from './options.ts'

/** What `millrace --help` prints. */
export function helpText(version: string): string {
  const rows = Object.values(OPTIONS) as OptionRow[]
  const left = (row: OptionRow) => `  --${row.flag} ${row.value}`
  const width = Math.max(...rows.map((row) => left(row).length)) + 2
  const lines = rows.map((row) => {
    const fallback = row.defaultMeans ?? row.default ?? 'none'
    return `${left(row).padEnd(width)}${row.what}\n${' '.repeat(width)}[${row.env}; default: ${fallback}]`
  })
  return `millrace ${version}: takes JSON POSTs, keeps them on disk before it says yes, lands them in S3 once each.

Usage: millrace [options]

${lines.join('\n')}
  --help, -h${' '.repeat(Math.max(1, width - 12))}Print this and exit.
  --version, -V${' '.repeat(Math.max(1, width - 15))}Print the version and exit.

A flag wins over its environment variable. S3 takes the standard AWS_* environment: AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ENDPOINT_URL_S3 and the rest of the SDK's chain.

Examples:
  millrace                                     listen on 127.0.0.1:8080, objects under ./data/objects
  millrace --to s3://my-bucket/events          put objects into S3
  millrace --host 0.0.0.0 --port 80 --data /var/lib/millrace --to s3://my-bucket

  curl -d '{"hello":"world"}' -H 'Content-Type: application/json' http://127.0.0.1:8080/payloads

Exit codes: 0 stopped in good order, 1 an operating error (docs/ERRORS.md), 2 a wrong option.
`
}

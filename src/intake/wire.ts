/** Answers as HTTP/1.1 writes them. */

import { STATUS_CODES } from 'node:http'
import type { Answer } from './answer.ts'

/** A whole answer; `date` is the time as HTTP has it, and after the last one the connection is closed. */
export function answerText({ status, contentType, headers, body }: Answer, date: string, isLast: boolean): string {
  const more = headers === undefined ? '' : headerLines(headers)
  const last = isLast && headers?.['connection'] === undefined ? 'Connection: close\r\n' : ''
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${contentType}\r\nDate: ${date}\r\nContent-Length: ${length}\r\n${more}${last}\r\n${body}`
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

/** Answers as HTTP/1.1 writes them. */

import { STATUS_CODES } from 'node:http'
import type { Answer } from './answer.ts'

/** An answer's head, in ASCII; `date` is the time as HTTP has it, and after the last answer the connection is closed. */
export function headOf(answer: Answer, bodyBytes: number, date: string, isLast: boolean): string {
  const { status, contentType, headers } = answer
  const more = headers === undefined ? '' : headerLines(headers)
  const last = isLast && headers?.['connection'] === undefined ? 'Connection: close\r\n' : ''
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${contentType}\r\nDate: ${date}\r\nContent-Length: ${bodyBytes}\r\n${more}${last}\r\n`
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

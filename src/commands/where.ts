/** `millrace where`: where the payloads of a receipt are, as far as the data directory tells. */

import type { Command } from '../config/load-command.ts'
import { HANDLER } from '../delivery/handler.ts'
import { type ObjectLines, type PayloadNames, type Whereabouts, whereIs } from '../delivery/whereabouts.ts'
import { parseReceipt } from '../journal/name.ts'
import { FoundData } from './data.ts'
import { DROPPED_ENDING, deadPath, REPLAYED_ENDING, readReplay } from './dead-files.ts'
import { count, inDigits, type Surroundings } from './terminal.ts'

/** What became of a dead record since. */
interface Since {
  replayed_as?: string
  dropped?: true
}

/** Runs the command; returns its exit code. */
export async function where(command: Command, { platform, terminal }: Surroundings): Promise<number> {
  const receipt = command.receipts[0] ?? ''
  const { files } = platform
  const data = await FoundData.at(files, command.options.data)
  const found = await whereIs(receipt, {
    node: data.node,
    holds: (parts) => data.holds(parts),
    find: (lane, segment, tag) => data.entryOf(lane, segment, tag),
  })
  if (found?.state === 'stored') found.destination = movedTo(command.instead, found.destination)
  const since: Since = {}
  if (found?.state === 'dead') {
    const replay = await readReplay(files, deadPath(data, receipt, REPLAYED_ENDING) ?? '')
    if (replay) since.replayed_as = replay.as
    if ((await files.sizeOf(deadPath(data, receipt, DROPPED_ENDING) ?? '')) !== undefined) since.dropped = true
  }
  if (command.json) {
    await terminal.print(`${JSON.stringify({ receipt, ...(found ?? { state: 'unknown' }), ...since })}\n`)
  } else if (found) {
    await terminal.print(inWords(receipt, found, since))
  } else {
    terminal.note(`millrace: ${whyUnknown(receipt, data)}\n`)
  }
  return found ? 0 : 1
}

/** Where objects are that went to `destination`, when somebody says where they are now. */
function movedTo(instead: string | undefined, destination: string): string {
  const isS3 = (place: string) => /^s3:/i.test(place)
  return instead === undefined || isS3(instead) !== isS3(destination) ? destination : instead
}

function inWords(receipt: string, found: Whereabouts, since: Since): string {
  if (found.state === 'pending') return `${receipt} is pending: durable in the journal, on its way to the destination\n`
  if (found.state === 'dead') {
    const after = since.replayed_as ? `\n  replayed as ${since.replayed_as}` : since.dropped ? '\n  dropped since' : ''
    const some = found.indexes ? `\n  payloads    ${found.indexes.join(', ')} (the others are stored)` : ''
    return `${receipt} is dead: ${found.reason}${some}\n  died at     ${found.died_at}${after}\n`
  }
  const objects = found.objects.map(objectInWords).join('')
  const why = found.destination === HANDLER ? 'a function has taken it' : 'it held no payloads'
  const what = found.objects.length === 0 ? `\n  ${why}, so that no object has lines of it` : ''
  return `${receipt} is stored
  stored at   ${found.stored_at}
  in          ${found.destination}${what}
${objects}`
}

function objectInWords(object: ObjectLines | PayloadNames): string {
  if ('lines' in object) return linesInWords(object)
  const { name, payloads } = object
  const what = payloads === undefined ? 'its payloads, one each' : count(payloads, 'payload')
  return `  ${payloads === 1 ? 'object ' : 'objects'}     ${name}\n              ${what}\n`
}

function linesInWords({ name, bytes, sha256, lines, at }: ObjectLines): string {
  const { first, last, exact } = lines
  const range = first === last ? `line ${inDigits(first)}` : `lines ${inDigits(first)} to ${inDigits(last)}`
  const shared = exact ? '' : ' (among lines of other records; look for the receipt)'
  return `  object      ${name}
              ${range}${shared}
              ${count(bytes, 'byte')}, sha256 ${sha256}
${at === undefined ? '' : `  forwarded   to ${at}, whose own objects have these lines\n`}`
}

function whyUnknown(receipt: string, { node, directory }: FoundData): string {
  const parts = parseReceipt(receipt)
  if (!parts) return `'${receipt}' is not a receipt; one looks like ${node}-0-17-9f3c01d2-4`
  if (parts.node !== node) {
    return `${receipt} is unknown here: it was given by node ${parts.node}, and ${directory} belongs to node ${node}`
  }
  return `${receipt} is unknown: it was never given here, or longer ago than the ledger goes back (--ledger-days),
  or what told of it is lost; 'millrace verify' would see that`
}

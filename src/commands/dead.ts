/** `millrace dead list|show|drop`: the records that can never be stored, looked at and removed. */

import type { Command } from '../config/load-command.ts'
import { FoundData } from './data.ts'
import { type DeadFile, DROPPED_ENDING, deadFiles, leaveNote, readDead, removeDead, siblingOf } from './dead-files.ts'
import { inDigits, type Surroundings, table } from './terminal.ts'

/** `dead list`: a table, the oldest death first. */
export async function listDead({ options }: Command, { platform, terminal }: Surroundings): Promise<number> {
  const { files } = platform
  const rows: string[][] = []
  for (const file of await deadFiles(files, await FoundData.at(files, options.data))) {
    const dead = await readDead(files, file.path)
    const { payloads, died_at, reason } = dead?.line ?? { payloads: 0, died_at: '', reason: 'its file is damaged' }
    rows.push([file.receipt, inDigits(payloads), died_at, reason])
  }
  if (rows.length === 0) await terminal.print('no dead records\n')
  else await terminal.print(table([['receipt', 'payloads', 'died_at', 'reason'], ...rows.toSorted(byDeath)]))
  return 0
}

/** `dead show`: the line and the body, as they stand in the file. */
export async function showDead(command: Command, { platform, terminal }: Surroundings): Promise<number> {
  const { files } = platform
  const { chosen, missing } = await choose(command, { platform, terminal })
  const dead = chosen[0] && (await readDead(files, chosen[0].path))
  if (!dead) {
    if (!missing) terminal.note(`millrace: ${command.receipts[0]}: its file is damaged\n`)
    return 1
  }
  await terminal.print(`${JSON.stringify(dead.line)}\n`)
  await terminal.print(dead.body)
  if (dead.body.at(-1) !== 0x0a) await terminal.print('\n')
  return 0
}

/** `dead drop`: removes files for good. */
export async function dropDead(command: Command, { platform, terminal }: Surroundings): Promise<number> {
  const { files, clock } = platform
  const { chosen, missing } = await choose(command, { platform, terminal })
  for (const file of chosen) {
    const dead = await readDead(files, file.path)
    // First why it goes, then it: `verify` finds one of the two, whenever it looks.
    const note = { receipt: file.receipt, dropped_at: new Date(clock.nowMs()).toISOString(), reason: dead?.line.reason }
    await leaveNote(files, siblingOf(file, DROPPED_ENDING), note)
    await removeDead(files, file)
    await terminal.print(`${file.receipt} dropped\n`)
  }
  return missing ? 1 : 0
}

/** The files a command is about; says which receipts have none. */
export async function choose(
  { receipts, all, options }: Command,
  { platform, terminal }: Pick<Surroundings, 'platform' | 'terminal'>,
): Promise<{ data: FoundData; chosen: DeadFile[]; missing: boolean }> {
  const data = await FoundData.at(platform.files, options.data)
  const found = await deadFiles(platform.files, data)
  const known = new Map(found.map((file) => [file.receipt, file]))
  const missing = receipts.filter((receipt) => !known.has(receipt))
  for (const receipt of missing) terminal.note(`millrace: ${receipt}: no dead record has this receipt\n`)
  const named = [...new Set(receipts)].flatMap((receipt) => known.get(receipt) ?? [])
  return { data, chosen: all ? found : named, missing: missing.length > 0 }
}

function byDeath([, , a = '']: readonly string[], [, , b = '']: readonly string[]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

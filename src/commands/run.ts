/** Runs a command by its name. */

import type { CommandName } from '../config/commands.ts'
import type { Command } from '../config/load-command.ts'
import { Fault } from '../observe/errors.ts'
import { benchDesigns } from './bench-designs.ts'
import { dropDead, listDead, showDead } from './dead.ts'
import { replayDead } from './replay.ts'
import type { Surroundings } from './terminal.ts'
import { verify } from './verify.ts'
import { where } from './where.ts'

const RUNS: Record<CommandName, (command: Command, surroundings: Surroundings) => Promise<number>> = {
  where,
  verify,
  deadList: listDead,
  deadShow: showDead,
  deadReplay: replayDead,
  deadDrop: dropDead,
  benchDesigns,
}

/** Runs a command; returns its exit code. Throws a `Fault` for operating errors. */
export async function runCommand(command: Command, surroundings: Surroundings): Promise<number> {
  try {
    return await RUNS[command.name](command, surroundings)
  } catch (error) {
    // What the disk says of files in the data directory; anything else is a bug and stays one.
    const { code, path = command.options.data, message } = error as NodeJS.ErrnoException
    if (error instanceof Fault || code === undefined) throw error
    throw new Fault('data_unusable', `${path}: ${message}`, { cause: error })
  }
}

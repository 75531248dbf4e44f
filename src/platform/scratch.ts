/** A directory for a while: made under a name that nobody has, and removed with all that is in it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** A directory that is gone when its scope is left. */
export class Scratch implements Disposable {
  readonly path: string

  /** Makes one in `parent`, which must be there; `name` is what its name begins with. */
  constructor(parent: string, name: string) {
    this.path = mkdtempSync(join(parent, name))
  }

  /** Removes it now, also in the last moment of a process; once is enough. */
  [Symbol.dispose](): void {
    // A process that was just killed may still be writing into it.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
}

/** Jobs for threads: what each does is its name. */

import type { ThreadContext } from '../../../src/dispatch/worker-threads.ts'

export type ThreadJob =
  | { do: 'square'; n: number }
  | { do: 'sum'; bytes: Uint8Array }
  | { do: 'bytes'; length: number }
  | { do: 'throw' | 'throw-uncloneable' | 'return-uncloneable' | 'die' | 'spin' | 'die-once' }

export async function run(job: ThreadJob, context: ThreadContext): Promise<unknown> {
  switch (job.do) {
    case 'square':
      return job.n ** 2
    case 'sum':
      return job.bytes.reduce((sum, byte) => sum + byte, 0)
    case 'bytes': {
      const bytes = new Uint8Array(job.length).fill(1)
      context.transfer(bytes.buffer)
      // Gone from here only once it is sent.
      return bytes
    }
    case 'throw':
      throw new RangeError('out of range')
    case 'throw-uncloneable':
      throw () => 'a function'
    case 'return-uncloneable':
      return () => 'a function'
    case 'die-once':
      if (context.attempt > 1) return 'survived'
      return process.exit(3)
    case 'die':
      return process.exit(3)
    case 'spin':
      for (;;);
  }
}

/** Ports for servers that have to keep theirs over restarts. */

import { createServer } from 'node:net'

/** Ports of this machine that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    listeners.map(async (listener) => {
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
      const address = listener.address()
      return typeof address === 'object' ? (address?.port ?? 0) : 0
    }),
  )
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))))
  return ports
}

/** A fixed number of POSTs over a few connections, for work that has to be the same every time; needs nothing installed. */

import { type Connection, openConnections, send } from '../src/designs/connections.ts'
import { requestsOf } from './requests.ts'

/** What to post, where, and how often. */
export interface CountedLoad {
  url: string
  /** A file of bodies, one a line. */
  bodies: string
  connections: number
  posts: number
}

/** Posts all of them. Throws when one isn't taken. */
export async function postCounted({ url, bodies, connections, posts }: CountedLoad): Promise<void> {
  const requests = requestsOf(url, bodies)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let sent = 0
  let answered = 0
  const next = (connection: Connection) => {
    if (sent < posts) send(connection, requests[sent++ % requests.length] as Buffer)
  }
  const all = await openConnections(url, connections, {
    answered(connection, status) {
      if (status < 200 || status > 299) reject(new Error(`a POST was answered with ${status}`))
      answered += 1
      if (answered === posts) resolve()
      next(connection)
    },
    gone: () => reject(new Error('the server closed a connection')),
  })
  for (const connection of all) next(connection)
  try {
    await promise
  } finally {
    for (const { socket } of all) socket.end()
  }
}

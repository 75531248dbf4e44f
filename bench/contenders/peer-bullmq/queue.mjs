/** What both processes of the peer have to agree on: the queue's name, and where Redis is. */

export const QUEUE = 'payloads'
export const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null }

/** The peer's HTTP side: a collection comes, each payload becomes a job in Redis, and then it says 202. */

import { Queue } from 'bullmq'
import fastify from 'fastify'
import { connection, QUEUE } from './queue.mjs'

const BODY_BYTES_MAX = 16 * 1024 * 1024

const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true, attempts: 5 } })
const app = fastify({ bodyLimit: BODY_BYTES_MAX })
const schema = {
  body: {
    type: 'object',
    required: ['version', 'token', 'data'],
    properties: { version: { type: 'string' }, token: { type: 'string' }, data: { type: 'array' } },
  },
}
app.post('/payload', { schema }, async (request, reply) => {
  const { data } = request.body
  if (data.length === 1) await queue.add('store', data[0])
  else await queue.addBulk(data.map((payload) => ({ name: 'store', data: payload })))
  reply.code(202)
  return { accepted: data.length }
})
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`listens on http://127.0.0.1:${app.server.address().port}`)

/** The peer's worker: takes jobs off Redis and puts each payload as an object of its own. */

import { randomUUID } from 'node:crypto'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Worker } from 'bullmq'
import { connection, QUEUE } from './queue.mjs'

const CONCURRENCY = 50

const s3 = new S3Client({ forcePathStyle: true })
const worker = new Worker(
  QUEUE,
  async ({ data }) => {
    const Body = JSON.stringify(data)
    await s3.send(new PutObjectCommand({ Bucket: 'bench', Key: `payloads/${randomUUID()}`, Body }))
  },
  { connection, concurrency: CONCURRENCY },
)
worker.on('error', (error) => console.error(error))

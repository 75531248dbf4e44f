/** What all deliveries of a thread share. */

import type { Destination } from '../destination/destination.ts'
import type { Compression, ObjectFormat } from '../journal/layout.ts'
import type { Observer } from '../observe/events.ts'
import type { Garbage } from '../platform/garbage.ts'
import type { Platform } from '../platform/platform.ts'
import type { ChunkPool } from './chunk-pool.ts'
import type { Compressor } from './compressor.ts'
import type { Lines } from './lines.ts'
import type { Pace } from './pace.ts'
import type { Parking } from './parking.ts'
import type { PutLimit } from './put-limit.ts'
import type { LookContext } from './taken.ts'
import type { Budget, Turn } from './turn.ts'

/** What a delivery works with; all deliveries of a thread share one. */
export interface DeliveryContext {
  platform: Platform
  destination: Destination
  /** `placeKey` of it. */
  destinationKey: string
  /** Whose turn it is to encode: one at a time keeps memory flat. */
  turn: Turn
  /** Of deliveries that take their records by source one does: it holds a part of its segment in memory. */
  sorting: Budget
  /** When whoever has the turn rests, if it may. */
  pace: Pace
  /** `createCompressor`: work of other threads, as little under this one's control as the disk. */
  compress: (compression: Compression) => Compressor
  decompress: LookContext['decompress']
  /** Makes the lines, for whoever's turn it is. */
  lines: Lines
  /** Memory for lines before they are compressed. */
  chunks: ChunkPool
  /** The bytes of finished objects that are being put or wait for another try. */
  bodies: Budget
  /** How many objects of format `payload` are being put or wait for another try. */
  puts: Budget
  /** After how many objects of format `payload` that are stored a delivery notes how far it has come. */
  notePayloads: number
  /** How many puts may be under way at once, objects of each format by themselves. */
  limits: Readonly<Record<ObjectFormat, PutLimit>>
  /** What stored objects leave behind. */
  garbage: Garbage
  /** Where deliveries wait while the destination is parked. */
  parking: Parking
  observe: Observer
  signal: AbortSignal
}

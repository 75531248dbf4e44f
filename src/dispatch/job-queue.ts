/** The JobQueue: the highest priority first, then the oldest, with a bound that is a bound. What it refuses is kept nowhere. */

import { checkCapacity } from './checks.ts'

/** What can stand in a queue: it has a priority and the links of its line, so that taking it out again costs nothing. */
export class Queueable {
  /** Higher comes first. */
  readonly priority: number
  /** Where it stands; undefined when in none. */
  line: Line | undefined = undefined
  next: Queueable | undefined = undefined
  previous: Queueable | undefined = undefined

  constructor(priority = 0) {
    this.priority = priority
  }
}

/** Those of one priority, oldest first. */
class Line {
  readonly priority: number
  readonly queue: object
  first: Queueable | undefined = undefined
  last: Queueable | undefined = undefined

  constructor(priority: number, queue: object) {
    this.priority = priority
    this.queue = queue
  }

  add(job: Queueable): void {
    const { last } = this
    job.line = this
    job.previous = last
    if (last) last.next = job
    else this.first = job
    this.last = job
  }

  remove(job: Queueable): void {
    const { next, previous } = job
    if (previous) previous.next = next
    else this.first = next
    if (next) next.previous = previous
    else this.last = previous
    // Also so that one that is gone keeps no other alive.
    job.line = undefined
    job.next = undefined
    job.previous = undefined
  }
}

/** A bounded queue. Every operation takes the same time however many wait; that of a new priority grows with priorities. */
export class JobQueue<Job extends Queueable> {
  readonly capacity: number
  /** Highest priority first. None is empty but the usual one, which is kept. */
  readonly #lines: Line[]
  readonly #usual: Line
  #length = 0

  /** `capacity` is the most jobs it holds, a whole number from 0. */
  constructor(capacity: number) {
    checkCapacity("a job queue's capacity", capacity)
    this.capacity = capacity
    this.#usual = new Line(0, this)
    this.#lines = [this.#usual]
  }

  /** How many jobs wait. */
  get length(): number {
    return this.#length
  }

  /** The job that `take` takes next. */
  get first(): Job | undefined {
    if (this.#length === 0) return undefined
    for (const { first } of this.#lines) if (first) return first as Job
    return undefined
  }

  /** Puts a job if there is room, or says no. */
  offer(job: Job): boolean {
    if (this.#length >= this.capacity) return false
    const line = job.priority === 0 ? this.#usual : this.#lineOf(job.priority)
    line.add(job)
    this.#length += 1
    return true
  }

  /** Takes the job of the highest priority, of these the oldest. */
  take(): Job | undefined {
    const job = this.first
    if (job) this.remove(job)
    return job
  }

  /** Takes a job out, wherever it stands; false when it isn't here. */
  remove(job: Job): boolean {
    const { line } = job
    if (line?.queue !== this) return false
    line.remove(job)
    this.#length -= 1
    if (line.first === undefined && line !== this.#usual) this.#lines.splice(this.#lines.indexOf(line), 1)
    return true
  }

  #lineOf(priority: number): Line {
    let [low, high] = [0, this.#lines.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#lines[middle] as Line).priority > priority) low = middle + 1
      else high = middle
    }
    const found = this.#lines[low]
    if (found?.priority === priority) return found
    const line = new Line(priority, this)
    this.#lines.splice(low, 0, line)
    return line
  }
}

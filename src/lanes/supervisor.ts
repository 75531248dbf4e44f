/** Watches the lanes' processes: all start together, one that ends is started again, and all stop together. */

import { Fault } from '../observe/errors.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import { Heartbeat } from '../platform/heartbeat.ts'
import type { LaneChild, LaneExit } from './lane-child.ts'
import type { FromLane, LaneBacklog } from './messages.ts'
import { RestartPause } from './restart-pause.ts'

/** How many lanes, and where they listen. */
export interface SupervisorOptions {
  lanes: number
  port: number
}

/** A lane's process, as far as it is watched. */
export type LaneHandle = Pick<LaneChild, 'pid' | 'exited' | 'say' | 'kill'>

/** Starts a lane's process, which has been told to start. */
export type SpawnLane = (lane: number, hear: (message: FromLane) => void) => LaneHandle

/** How much longer than its grace a lane's stop may take before it is killed: for the disk, mostly. */
const STOP_MARGIN_MS = 30_000

type Listening = Extract<FromLane, { kind: 'listening' }>

interface Watched {
  readonly lane: number
  readonly pause: RestartPause
  child: LaneHandle | undefined
  sinceMs: number
  /** It has been told to listen. */
  isTold: boolean
  isListening: boolean
  fault: string
  heartbeat: Heartbeat | undefined
  restart: Timer | undefined
}

/** Lanes that are started, watched and stopped together. */
export class Supervisor {
  /** Sums of what lanes said when they stopped. */
  readonly #backlog: LaneBacklog = { segments: 0, payloads: 0, dead: 0 }
  #toldBacklog = 0
  readonly #options: SupervisorOptions
  readonly #spawn: SpawnLane
  readonly #clock: Clock
  readonly #observe: Observer
  readonly #lanes: readonly Watched[]
  /** Lanes that have recovered since this process started: what they left lies open for all others. */
  readonly #recovered = new Set<number>()
  readonly #started = Promise.withResolvers<Listening>()
  #listening: Listening | undefined
  #isUp = false
  #isStopping = false

  constructor(options: SupervisorOptions, spawn: SpawnLane, clock: Clock, observe: Observer) {
    this.#options = options
    this.#spawn = spawn
    this.#clock = clock
    this.#observe = observe
    this.#lanes = Array.from({ length: options.lanes }, (_, lane) => ({
      lane,
      pause: new RestartPause(),
      child: undefined,
      sinceMs: 0,
      isTold: false,
      isListening: false,
      fault: '',
      heartbeat: undefined,
      restart: undefined,
    }))
  }

  get backlog() {
    return { ...this.#backlog, silentLanes: this.#lanes.length - this.#toldBacklog }
  }

  /** Those that run, in the order of their lanes. */
  get processes(): number[] {
    return this.#lanes.flatMap(({ child }) => child?.pid ?? [])
  }

  /** Resolves when every lane listens. */
  async start(): Promise<Listening> {
    for (const lane of this.#lanes) this.#begin(lane)
    return await this.#started.promise
  }

  /** Stops all lanes; returns when they have ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    await Promise.all(
      this.#lanes.map(async ({ lane, child, restart }) => {
        restart?.cancel()
        if (!child) return
        child.say({ kind: 'stop', graceMs })
        const late = this.#clock.after(graceMs + STOP_MARGIN_MS, () => child.kill())
        const exit = await child.exited
        late.cancel()
        // At a start that failed, why it did is all there is to say.
        if (exit.code === 0 || !this.#isUp) return
        this.#observe({ kind: 'lane-cut-off', lane, reason: exit.signal ?? `exit code ${exit.code}` })
      }),
    )
  }

  /** Ends all lanes at once: what was acked is in their journals. */
  kill(): void {
    for (const { child } of this.#lanes) child?.kill()
  }

  #begin(watched: Watched): void {
    watched.restart = undefined
    watched.isTold = false
    watched.isListening = false
    watched.fault = ''
    watched.sinceMs = this.#clock.monotonicMs()
    const child = this.#spawn(watched.lane, (message) => this.#hear(watched, message))
    watched.child = child
    const hangs = () => {
      watched.fault = 'it hung, and was killed'
      child.kill()
    }
    watched.heartbeat = new Heartbeat(this.#clock, () => child.say({ kind: 'ask' }), hangs)
    void child.exited.then((exit) => this.#ended(watched, exit))
  }

  #hear(watched: Watched, message: FromLane): void {
    switch (message.kind) {
      case 'answer':
        return watched.heartbeat?.answered()
      case 'recovered':
        this.#recovered.add(watched.lane)
        return this.#go()
      case 'listening':
        watched.isListening = true
        this.#listening ??= message
        if (this.#isUp) return this.#observe({ kind: 'lane-up', lane: watched.lane, process: watched.child?.pid ?? 0 })
        return this.#go()
      case 'fault':
        watched.fault = `${message.code}: ${message.message}`
        if (!this.#isUp) this.#started.reject(new Fault(message.code, message.message))
        return
      case 'stopped':
        this.#toldBacklog += 1
        this.#backlog.segments += message.backlog.segments
        this.#backlog.payloads += message.backlog.payloads
        this.#backlog.dead += message.backlog.dead
    }
  }

  /**
   * Lets lanes listen once all have recovered, because a key may have been another lane's in the last run; the first one
   * before the others, because it may have to find the port for all.
   */
  #go(): void {
    if (this.#isStopping || this.#recovered.size < this.#lanes.length) return
    for (const watched of this.#lanes) {
      if (watched.isTold || !watched.child || !(this.#listening || watched.lane === 0)) continue
      watched.isTold = true
      watched.child.say({
        kind: 'listen',
        port: this.#listening?.port ?? this.#options.port,
        tcpPort: this.#listening?.tcp?.port,
        isFirst: !this.#listening,
      })
    }
    if (!this.#listening || this.#isUp || !this.#lanes.every(({ isListening }) => isListening)) return
    this.#isUp = true
    this.#started.resolve(this.#listening)
  }

  #ended(watched: Watched, { code, signal }: LaneExit): void {
    watched.child = undefined
    watched.heartbeat?.stop()
    watched.isListening = false
    if (this.#isStopping) return
    // Killed from outside it may do better the next time; what it ended with by itself, one process would have ended with.
    if (!this.#isUp && signal === null) {
      return this.#started.reject(new Error(`lane ${watched.lane} ended at its start with exit code ${code}`))
    }
    const pauseMs = watched.pause.after(this.#clock.monotonicMs() - watched.sinceMs)
    const reason = watched.fault || (signal === null ? `exit code ${code}` : signal)
    this.#observe({ kind: 'lane-ended', lane: watched.lane, reason, pauseMs })
    watched.restart = this.#clock.after(pauseMs, () => this.#begin(watched))
  }
}

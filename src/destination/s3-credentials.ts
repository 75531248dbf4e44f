/** AWS credentials: from the environment, or from the AWS SDK's chain, renewed before they expire, one renewal at a time. */

import type { Clock } from '../platform/clock.ts'
import type { Environment } from './s3-options.ts'

/** What signs a request. */
export interface AwsKeys {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string | undefined
  expiration?: Date | undefined
}

/** Gets credentials from wherever they come from, anew each time. Rejects when there are none. */
export type KeysProvider = () => Promise<AwsKeys>

/** A day's key for signing in one region. */
export interface DerivedKey {
  scope: string
  bytes: Uint8Array
}

/** Credentials in use. One object for each renewal, so that whoever was refused can say with which. */
export interface LiveKeys extends AwsKeys {
  /** What was last derived from them for signing. */
  derived: DerivedKey | undefined
  /** Whether they were got because S3 called the ones before expired, and nothing was stored with them yet. */
  replacement: boolean
}

/** Credentials, or why there are none. */
export type KeysOrReason = { kind: 'keys'; keys: LiveKeys } | { kind: 'none'; reason: string }

/** How long before they expire credentials are renewed. */
export const RENEW_BEFORE_EXPIRY_MS = 5 * 60_000
/** How long to wait between renewals while there are credentials that still work. */
export const RENEW_AGAIN_MS = 30_000
/** How long the provider may take. Shorter than any put's limit, so that the reason names the credentials. */
export const PROVIDER_MS_MAX = 30_000
/** How much of a provider's own words goes into a reason. */
const REASON_CHARACTERS_MAX = 300

/** Holds credentials and renews them. */
export class S3Credentials {
  readonly #provider: KeysProvider
  readonly #clock: Clock
  #held: LiveKeys | undefined
  #renewal: Promise<KeysOrReason> | undefined
  #renewedAtMs = 0
  #expiredInUse = false

  constructor(provider: KeysProvider, clock: Clock) {
    this.#provider = provider
    this.#clock = clock
  }

  /** The credentials held, unless there are none or they are due for renewal. */
  current(): LiveKeys | undefined {
    const held = this.#held
    if (held?.expiration === undefined) return held
    if (this.#clock.nowMs() < held.expiration.getTime() - RENEW_BEFORE_EXPIRY_MS) return held
    // What a renewal brings can be due already: the pause keeps every put from asking again.
    return this.#clock.monotonicMs() - this.#renewedAtMs < RENEW_AGAIN_MS ? held : undefined
  }

  /** New credentials; callers that come while they are being got share the one renewal. Never rejects. */
  renewed(): Promise<KeysOrReason> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined
    })
    return this.#renewal
  }

  /** S3 took something that these signed. */
  accepted(keys: LiveKeys): void {
    keys.replacement = false
  }

  /** S3 refused these: forget them, since whoever mends the fault may do it where the provider looks. */
  refused(keys: LiveKeys): void {
    if (this.#held === keys) this.#held = undefined
  }

  /** S3 called these expired: forget them. True when new ones are worth a try, false when these were the new ones. */
  expired(keys: LiveKeys): boolean {
    // Late answers to puts signed with older keys say nothing about the ones held.
    if (this.#held === keys) this.#expiredInUse = true
    this.refused(keys)
    return !keys.replacement
  }

  async #renew(): Promise<KeysOrReason> {
    try {
      const keys = await this.#ask()
      this.#held = { ...keys, derived: undefined, replacement: this.#expiredInUse }
      this.#expiredInUse = false
      return { kind: 'keys', keys: this.#held }
    } catch (error) {
      const held = this.#held
      if (held?.expiration !== undefined && this.#clock.nowMs() < held.expiration.getTime()) {
        return { kind: 'keys', keys: held }
      }
      this.#held = undefined
      return { kind: 'none', reason: `no AWS credentials: ${firstLine(error)}` }
    } finally {
      this.#renewedAtMs = this.#clock.monotonicMs()
    }
  }

  #ask(): Promise<AwsKeys> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(PROVIDER_MS_MAX, () =>
        reject(new Error(`their provider did not answer within ${PROVIDER_MS_MAX / 1000} s`)),
      )
      this.#provider()
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }
}

/**
 * The provider that the environment asks for: its own `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and
 * `AWS_SESSION_TOKEN`), else the AWS SDK's chain: profiles, SSO, web identity, container and instance roles.
 * `region` is where the chain's own calls go; undefined leaves it to the chain.
 */
export function keysProvider(env: Environment, region: string | undefined): KeysProvider {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (accessKeyId && secretAccessKey) {
    const keys: AwsKeys = { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN || undefined }
    return () => Promise.resolve(keys)
  }
  return async () => {
    // Imported here because it costs 20 ms and 12 MB, which those with keys in the environment needn't pay.
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
    // Each time a new chain that reads its files anew: the only cache is ours, or mended files would go unseen.
    return fromNodeProviderChain({ ignoreCache: true, ...(region === undefined ? {} : { clientConfig: { region } }) })()
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1).join('').slice(0, REASON_CHARACTERS_MAX)
}

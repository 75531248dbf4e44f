/** A finished object's bytes, in pieces as they were made: nobody needs all of them in a row. */

/** Bytes that don't change for as long as somebody may send them. */
export class Body {
  /** In order; none of them is empty, unless the object is. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[]
  /** In bytes, all together. */
  readonly length: number

  constructor(pieces: readonly Uint8Array<ArrayBuffer>[]) {
    this.pieces = pieces
    this.length = pieces.reduce((sum, { length }) => sum + length, 0)
  }

  /** All of them in a row; a copy, where that is more than one piece. */
  whole(): Uint8Array<ArrayBuffer> {
    const [first] = this.pieces
    return this.pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.pieces)
  }
}

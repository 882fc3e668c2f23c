/**
 * Takes gzip (RFC 1952) and Zstandard (RFC 8878) off an input, recognised by their first bytes; several members or
 * frames after one another are one stream. Damage never throws: everything before it is given, then a `Problem`.
 */
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { describeError, type Problem } from '#base';
import type { RawInput } from './raw-input.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/**
 * Compressed bytes given to the engine at once (measured: 64 KiB is 1.3 times as fast as 16 KiB, 3 times as 4 KiB).
 * What an engine gives for a piece in which it fails is lost: a damaged file is read again, with smaller pieces there.
 */
const pieceBytes: readonly number[] = [1 << 16, 1 << 8, 1];
/** Decompressed bytes that an engine gives at once. */
const outputBytes = 1 << 18;

/** Compression of an input. @param head its first bytes, four are enough */
export function recogniseCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  // A skippable frame (RFC 8878 §3.1.2), which parallel compressors put first.
  if (((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return 'zstd';
  return 'none';
}

/** A compressed input, read decompressed. */
export class Decompressor {
  problem: Problem | undefined = undefined;
  readonly #raw: RawInput;
  readonly #compression: 'gzip' | 'zstd';
  readonly #input = new Uint8Array(pieceBytes[0]);
  #engine: Gunzip | ZstdDecompress;
  /** Unread rest of the input piece, and the offset of its first byte in the compressed input. */
  #piece: Uint8Array = new Uint8Array(0);
  #pieceOffsetBytes = 0;
  /** Bytes that the present engine has used of what it was given. */
  #consumedBytes = 0;
  #output: Uint8Array = new Uint8Array(0);
  #deliveredBytes = 0;
  /** Bytes to drop because an earlier pass delivered them. */
  #repeatedBytes = 0;
  /** Which pass over the input this is, and the compressed offset from which the pass takes its smaller pieces. */
  #passIndex = 0;
  #carefulFromBytes = 0;
  #isWriting = false;
  #isRawEnded = false;
  #isEngineEnded = false;
  #failure: Error | undefined = undefined;
  #wake: () => void = () => {};

  constructor(raw: RawInput, compression: 'gzip' | 'zstd') {
    this.#raw = raw;
    this.#compression = compression;
    this.#engine = this.#startEngine();
  }

  /** As `RawInput.read`; at damage the end comes early and `problem` is set. */
  async read(target: Uint8Array, from: number): Promise<number> {
    while (this.#output.length === 0) {
      if (!(await this.#fillOutput())) return 0;
    }
    const count = Math.min(this.#output.length, target.length - from);
    target.set(this.#output.subarray(0, count), from);
    this.#output = this.#output.subarray(count);
    this.#deliveredBytes += count;
    return count;
  }

  close(): void {
    this.#engine.removeAllListeners();
    this.#engine.on('error', () => {});
    this.#engine.destroy();
  }

  /** Takes one step. @returns false at the end */
  async #fillOutput(): Promise<boolean> {
    if (this.problem !== undefined) return false;
    const output = this.#engine.read() as Uint8Array | null;
    if (output !== null) {
      const repeated = Math.min(this.#repeatedBytes, output.length);
      this.#repeatedBytes -= repeated;
      this.#output = output.subarray(repeated);
    } else if (this.#failure !== undefined) {
      return this.#handleFailure(this.#failure);
    } else if (this.#isEngineEnded) {
      return this.#startNextFrame();
    } else if (!this.#isWriting && !this.#isRawEnded) {
      await this.#feed();
    } else {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return true;
  }

  /** Gives the engine the next piece; only when it has given everything of the last one, so that nothing gets lost. */
  async #feed(): Promise<void> {
    if (this.#piece.length === 0 && !(await this.#readPiece())) {
      this.#isRawEnded = true;
      this.#engine.end();
      return;
    }
    const plainBytes = this.#carefulFromBytes - this.#pieceOffsetBytes;
    const count = Math.min(plainBytes > 0 ? plainBytes : pieceBytes[this.#passIndex], this.#piece.length);
    const engine = this.#engine;
    this.#isWriting = true;
    engine.write(this.#piece.subarray(0, count), () => {
      if (engine !== this.#engine) return;
      this.#isWriting = false;
      this.#takeConsumed();
      this.#wake();
    });
  }

  /** Reads on behind what is left of the piece. @returns false when the input has no more */
  async #readPiece(): Promise<boolean> {
    this.#input.set(this.#piece);
    const kept = this.#piece.length;
    const count = await this.#raw.read(this.#input, kept);
    this.#piece = this.#input.subarray(0, kept + count);
    return count > 0;
  }

  /** Drops from the piece what the engine has used; a Zstandard engine stops in a piece where a frame ends. */
  #takeConsumed(): void {
    const bytes = this.#engine.bytesWritten - this.#consumedBytes;
    this.#consumedBytes += bytes;
    this.#piece = this.#piece.subarray(bytes);
    this.#pieceOffsetBytes += bytes;
  }

  #startEngine(): Gunzip | ZstdDecompress {
    // With a mark of one byte an engine keeps a single output back, so a failure cannot discard others.
    const options = { chunkSize: outputBytes, readableHighWaterMark: 1 };
    const engine = this.#compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
    this.#isWriting = false;
    this.#isEngineEnded = false;
    this.#failure = undefined;
    this.#consumedBytes = 0;
    engine.on('readable', () => this.#wake());
    engine.on('end', () => {
      this.#isEngineEnded = true;
      this.#wake();
    });
    engine.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    return engine;
  }

  /** After the end of a frame: goes on when another one follows. @returns false at the end of the input */
  async #startNextFrame(): Promise<boolean> {
    this.#takeConsumed();
    while (!this.#isRawEnded && this.#piece.length < 4) {
      if (!(await this.#readPiece())) this.#isRawEnded = true;
    }
    // Zeros pad a file to a block size; gzip(1) ignores them too.
    if (this.#piece.every((byte) => byte === 0)) return false;
    if (recogniseCompression(this.#piece) !== this.#compression) {
      this.#fail('damaged-file', `goes on after the end of its ${this.#compression} data with other bytes`);
      return false;
    }
    this.close();
    this.#isRawEnded = false;
    this.#engine = this.#startEngine();
    return true;
  }

  /** The engine failed: tries again in smaller pieces, else records the problem. @returns false at the end */
  #handleFailure(failure: Error): boolean {
    if (this.#isRawEnded) {
      this.#fail('cut-file', `ends in the middle of its ${this.#compression} data`);
      return false;
    }
    if (this.#passIndex + 1 < pieceBytes.length && this.#raw.rewind()) {
      this.#passIndex++;
      this.#carefulFromBytes = this.#pieceOffsetBytes;
      this.#repeatedBytes = this.#deliveredBytes;
      this.#piece = new Uint8Array(0);
      this.#pieceOffsetBytes = 0;
      this.close();
      this.#engine = this.#startEngine();
      return true;
    }
    this.#takeConsumed();
    this.#fail('damaged-file', `has damaged ${this.#compression} data (${describeError(failure)})`);
    return false;
  }

  #fail(code: 'cut-file' | 'damaged-file', what: string): void {
    const detail = `The compressed input ${what} near compressed byte ${this.#pieceOffsetBytes}.`;
    this.problem = { code, detail, offsetBytes: this.#deliveredBytes };
  }
}

/**
 * ByteSource: an input as one stream of decompressed bytes, with a look ahead at its beginning. Memory is bounded
 * whatever the size. What the bytes mean is other files' subject; bytes of a broken compressed input never throw.
 */
import type { Readable } from 'node:stream';
import { limits, type Problem } from '#base';
import { type Compression, Decompressor, recogniseCompression } from './decompress.ts';
import { openRawInput, type RawInput } from './raw-input.ts';

export type ByteSource = {
  /** The path as given, `-` for standard input. */
  readonly path: string;
  readonly compression: Compression;
  /** The first `limits.sourceHeadBytes` decompressed bytes, or all if there are fewer; `read` gives them again. */
  readonly head: Uint8Array;
  /** Size on disk, compressed; undefined for a pipe. */
  readonly sizeBytes: number | undefined;
  /** Compressed bytes read so far. */
  readonly readBytes: number;
  /** Set once reading has met the place where a compressed input is cut or damaged. */
  readonly problem: Problem | undefined;
  /**
   * Reads decompressed bytes into `target` from index `from` on, as many as are at hand and fit.
   *
   * @param from  less than `target.length`
   * @returns bytes read; 0 at the end
   * @throws EnvironmentError  the disk or pipe failed
   */
  read(target: Uint8Array, from: number): Promise<number>;
  /** All bytes from where reading stands, in chunks of at most `limits.readChunkBytes`; each valid until the next. */
  chunks(): AsyncGenerator<Uint8Array, void, void>;
  /** Ends reading and gives the file back. May be called twice. */
  close(): Promise<void>;
};

export type ByteSourceOptions = {
  /** Stands in for standard input. */
  readonly stdin?: Readable;
  readonly headBytes?: number;
  readonly chunkBytes?: number;
};

/**
 * Opens a file, or standard input for `-`; gzip and Zstandard are recognised by their first bytes and taken off.
 *
 * @throws OperatorError  'input-unreadable': no such file, no permission, a folder
 */
export async function openByteSource(path: string, options: ByteSourceOptions = {}): Promise<ByteSource> {
  const raw = openRawInput(path, options.stdin);
  try {
    const source = new OpenSource(path, raw, options.chunkBytes ?? limits.readChunkBytes);
    await source.start(options.headBytes ?? limits.sourceHeadBytes);
    return source;
  } catch (thrown) {
    raw.close();
    throw thrown;
  }
}

/** An input whose first bytes were looked at and are handed out again. */
class PeekedInput implements RawInput {
  readonly #raw: RawInput;
  #head: Uint8Array;

  constructor(raw: RawInput, head: Uint8Array) {
    this.#raw = raw;
    this.#head = head;
  }

  get sizeBytes(): number | undefined {
    return this.#raw.sizeBytes;
  }

  get readBytes(): number {
    return this.#raw.readBytes;
  }

  async read(target: Uint8Array, from: number): Promise<number> {
    if (this.#head.length === 0) return await this.#raw.read(target, from);
    const count = Math.min(this.#head.length, target.length - from);
    target.set(this.#head.subarray(0, count), from);
    this.#head = this.#head.subarray(count);
    return count;
  }

  rewind(): boolean {
    if (!this.#raw.rewind()) return false;
    this.#head = new Uint8Array(0);
    return true;
  }

  close(): void {
    this.#raw.close();
  }
}

class OpenSource implements ByteSource {
  readonly path: string;
  compression: Compression = 'none';
  head: Uint8Array = new Uint8Array(0);
  readonly #raw: RawInput;
  readonly #chunkBytes: number;
  #decompressor: Decompressor | undefined = undefined;
  /** What `read` takes from once the head has been handed out. */
  #body: { read(target: Uint8Array, from: number): Promise<number> };
  #headReadBytes = 0;

  constructor(path: string, raw: RawInput, chunkBytes: number) {
    this.path = path;
    this.#raw = raw;
    this.#body = raw;
    this.#chunkBytes = chunkBytes;
  }

  /** Recognises the compression and fills `head`. */
  async start(headBytes: number): Promise<void> {
    const magic = await readFully(this.#raw, 4);
    const peeked = new PeekedInput(this.#raw, magic);
    this.compression = recogniseCompression(magic);
    if (this.compression === 'none') {
      this.#body = peeked;
    } else {
      this.#decompressor = new Decompressor(peeked, this.compression);
      this.#body = this.#decompressor;
    }
    this.head = await readFully(this.#body, headBytes);
  }

  get sizeBytes(): number | undefined {
    return this.#raw.sizeBytes;
  }

  get readBytes(): number {
    return this.#raw.readBytes;
  }

  get problem(): Problem | undefined {
    return this.#headReadBytes < this.head.length ? undefined : this.#decompressor?.problem;
  }

  async read(target: Uint8Array, from: number): Promise<number> {
    if (this.#headReadBytes === this.head.length) return await this.#body.read(target, from);
    const end = Math.min(this.#headReadBytes + target.length - from, this.head.length);
    target.set(this.head.subarray(this.#headReadBytes, end), from);
    const count = end - this.#headReadBytes;
    this.#headReadBytes = end;
    return count;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const chunk = new Uint8Array(this.#chunkBytes);
    for (;;) {
      const count = await this.read(chunk, 0);
      if (count === 0) return;
      yield chunk.subarray(0, count);
    }
  }

  async close(): Promise<void> {
    this.#decompressor?.close();
    this.#raw.close();
  }
}

/** The next bytes of an input, at most `bytesMax`, in an array of their own. */
async function readFully(
  input: { read(target: Uint8Array, from: number): Promise<number> },
  bytesMax: number,
): Promise<Uint8Array> {
  const target = new Uint8Array(bytesMax);
  let filled = 0;
  while (filled < bytesMax) {
    const count = await input.read(target, filled);
    if (count === 0) break;
    filled += count;
  }
  return target.slice(0, filled);
}

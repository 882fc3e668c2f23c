/**
 * RawInput: the bytes of a file, pipe or standard input as they lie there, read into the caller's buffer.
 * Follows no format; never looks at the bytes and never holds more than one piece of a pipe.
 */
import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describeError, EnvironmentError, OperatorError } from '#base';

export type RawInput = {
  /** Size on disk, or undefined for a pipe. */
  readonly sizeBytes: number | undefined;
  /** Bytes handed out so far. */
  readonly readBytes: number;
  /**
   * Reads bytes into `target` from index `from` on, as many as there are and fit.
   *
   * @returns bytes read; 0 at the end
   * @throws EnvironmentError  the disk or pipe failed
   */
  read(target: Uint8Array, from: number): Promise<number>;
  /** Goes back to the first byte. @returns false where that is impossible (a pipe) */
  rewind(): boolean;
  close(): void;
};

/**
 * Opens a path, or standard input for `-`.
 *
 * @param stdin  stands in for standard input in tests
 * @throws OperatorError  there is no such file, it may not be read, or it is a folder
 */
export function openRawInput(path: string, stdin?: Readable): RawInput {
  if (path === '-') {
    if (stdin !== undefined) return new StreamInput('standard input', stdin);
    const stat = fstatSync(0);
    const name = 'standard input';
    return stat.isFile() ? new FileInput(name, 0, stat.size) : new StreamInput(name, process.stdin);
  }
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      throw new OperatorError('input-unreadable', `${path} is a folder: name the files in it, for example ${path}/*.`);
    }
    if (!stat.isFile()) return new StreamInput(path, createReadStream(path, { highWaterMark: 1 << 18 }));
    return new FileInput(path, openSync(path, constants.O_RDONLY), stat.size);
  } catch (thrown) {
    throw explainOpenError(path, thrown);
  }
}

function explainOpenError(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown instanceof OperatorError) return thrown;
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist: check the path',
    ENOTDIR: 'does not exist: a part of its path is not a folder; check the path',
    EACCES: 'may not be read by this user: change its permissions (and its folder\'s) or run as a user who may',
    EPERM: 'may not be read by this user: change its permissions or run as a user who may',
    ELOOP: 'is a link that leads back to itself: name the file itself',
    ENAMETOOLONG: 'is too long for a path: check it',
  };
  const reason = reasons[String(thrown.code)] ?? `cannot be opened (${thrown.message}): check the path`;
  return new OperatorError('input-unreadable', `${path} ${reason}.`, thrown);
}

/**
 * A regular file. Reads are synchronous (measured: four fifths of the CPU time of the thread pool's, for a file in the
 * page cache); between them the event loop gets its turn.
 */
class FileInput implements RawInput {
  readonly sizeBytes: number;
  readBytes = 0;
  readonly #name: string;
  readonly #fd: number;
  #positionBytes = 0;
  #isOpen = true;

  constructor(name: string, fd: number, sizeBytes: number) {
    this.#name = name;
    this.#fd = fd;
    this.sizeBytes = sizeBytes;
  }

  async read(target: Uint8Array, from: number): Promise<number> {
    await setImmediate();
    if (!this.#isOpen) return 0;
    try {
      const count = readSync(this.#fd, target, from, target.length - from, this.#positionBytes);
      this.#positionBytes += count;
      this.readBytes = Math.max(this.readBytes, this.#positionBytes);
      return count;
    } catch (thrown) {
      throw new EnvironmentError('disk', `${this.#name}: reading failed (${describeError(thrown)}).`, thrown);
    }
  }

  rewind(): boolean {
    this.#positionBytes = 0;
    return true;
  }

  close(): void {
    if (this.#isOpen && this.#fd > 2) closeSync(this.#fd);
    this.#isOpen = false;
  }
}

/** A pipe, a device or standard input. */
class StreamInput implements RawInput {
  readonly sizeBytes = undefined;
  readBytes = 0;
  readonly #name: string;
  readonly #stream: Readable;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(name: string, stream: Readable) {
    this.#name = name;
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async read(target: Uint8Array, from: number): Promise<number> {
    if (this.#stream.destroyed && this.#piece.length === 0) return 0;
    while (this.#piece.length === 0) {
      try {
        const next = await this.#pieces.next();
        if (next.done === true) return 0;
        this.#piece = next.value;
      } catch (thrown) {
        throw new EnvironmentError('disk', `${this.#name}: reading failed (${describeError(thrown)}).`, thrown);
      }
    }
    const count = Math.min(this.#piece.length, target.length - from);
    target.set(this.#piece.subarray(0, count), from);
    this.#piece = this.#piece.subarray(count);
    this.readBytes += count;
    return count;
  }

  rewind(): boolean {
    return false;
  }

  close(): void {
    this.#stream.destroy();
  }
}

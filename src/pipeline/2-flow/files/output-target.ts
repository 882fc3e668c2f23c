/**
 * Where output bytes go: a file, which appears under its name only when it is whole, or standard output. A signal
 * leaves nothing when the command calls `dropTemporaryFiles`; a crash or SIGKILL leaves a `.partial` file beside the
 * target. Not promised: survival of a power failure (no fsync).
 */
import { rmSync } from 'node:fs';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, basename, join } from 'node:path';
import { EnvironmentError, OperatorError, describeError } from '#base';

/** One write at a time: the next begins when the promise of the one before has resolved. */
export type OutputTarget = {
  /** Bytes accepted so far. */
  readonly bytesWritten: number;
  /** True when the reader of a pipe went away: what comes is dropped, and that is no error. */
  readonly readerGone: boolean;
  write(bytes: Uint8Array): Promise<void>;
  /** The output is whole: it gets its name. */
  finish(): Promise<void>;
  /** The output will not be whole: nothing of it stays. */
  abandon(): Promise<void>;
};

/** The path that `-` stands for. */
export const standardOutput = '-';

/** Files opened by this process, so that two outputs of one name do not share a temporary file. */
let openedCount = 0;

/** Temporary files that have neither got their name nor been removed. */
const temporaryFiles = new Set<string>();

/**
 * Temporary and final name of a file output; `temporary` is undefined for devices and pipes, which are written
 * directly.
 */
export type FileNames = { readonly target: string; readonly temporary: string | undefined };

/**
 * Names to write a file under.
 *
 * @throws OperatorError  `output-unwritable`: the path is a folder, or cannot be looked at
 */
export async function chooseFileNames(path: string): Promise<FileNames> {
  try {
    const target = await realpath(path).catch(() => path);
    const found = await stat(target).catch(() => undefined);
    if (found?.isDirectory() === true) throw new Error('it is a folder');
    if (found !== undefined && !found.isFile()) return { target, temporary: undefined };
    const name = `.${basename(target)}.${process.pid}-${openedCount++}.partial`;
    const temporary = join(dirname(target), name);
    temporaryFiles.add(temporary);
    return { target, temporary };
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

/** Gives a file that is whole its name. */
export async function keepFile({ target, temporary }: FileNames): Promise<void> {
  if (temporary === undefined) return;
  await rename(temporary, target);
  temporaryFiles.delete(temporary);
}

/** Removes what was written of a file; a device or pipe stays. */
export async function dropFile({ temporary }: FileNames): Promise<void> {
  if (temporary === undefined) return;
  await rm(temporary, { force: true });
  temporaryFiles.delete(temporary);
}

/** Removes the temporary files of all outputs at once, when the process must end now. Whoever calls it ends then. */
export function dropTemporaryFiles(): void {
  for (const path of temporaryFiles) {
    try {
      rmSync(path, { force: true });
    } catch {
      // The process is ending: the other files still count, and nobody could be told.
    }
  }
  temporaryFiles.clear();
}

/** The error that says that an output cannot be written, by the name that the user gave it. */
export function unwritable(path: string, cause: unknown): OperatorError {
  return new OperatorError('output-unwritable', `Cannot write ${path}: ${describeCause(path, cause)}.`, cause);
}

/**
 * Why a file cannot be written. Node's own text ends in the operation and the temporary name, which nobody typed.
 */
function describeCause(path: string, cause: unknown): string {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  const folder = dirname(path);
  if (code === 'ENOENT') return `the folder ${folder} does not exist`;
  if (code === 'ENOTDIR') return `${folder} is no folder`;
  if (code === 'EACCES' || code === 'EPERM') return `writing in ${folder} is not permitted`;
  const text = describeError(cause);
  return /^[A-Z][A-Z0-9]+: (.+), [a-z]+(?: '.*')?$/s.exec(text)?.[1] ?? text;
}

/** The error for a disk that failed or is full after writing had begun. */
export function diskFailed(path: string, cause: unknown): EnvironmentError {
  return new EnvironmentError('disk', `Writing ${path} failed: ${describeCause(path, cause)}.`, cause);
}

/** Opens a file output. @throws OperatorError  `output-unwritable` */
export async function openFileTarget(path: string): Promise<OutputTarget> {
  const names = await chooseFileNames(path);
  try {
    return new FileTarget(path, names, await open(names.temporary ?? names.target, 'w'));
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

class FileTarget implements OutputTarget {
  readonly readerGone = false;
  bytesWritten = 0;
  readonly #path: string;
  readonly #names: FileNames;
  readonly #file: FileHandle;

  constructor(path: string, names: FileNames, file: FileHandle) {
    this.#path = path;
    this.#names = names;
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += (await this.#file.write(bytes, at)).bytesWritten;
      this.bytesWritten += bytes.length;
    } catch (thrown) {
      throw diskFailed(this.#path, thrown);
    }
  }

  async finish(): Promise<void> {
    try {
      await this.#file.close();
      await keepFile(this.#names);
    } catch (thrown) {
      throw diskFailed(this.#path, thrown);
    }
  }

  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await dropFile(this.#names);
  }
}

/** What this file needs of a writable stream; `process.stdout` is one. */
export type WritableStream = {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
};

/** Standard output as a target. A reader that goes away (`| head`) ends the output quietly. */
export function openStreamTarget(stream: WritableStream = process.stdout): OutputTarget {
  return new StreamTarget(stream);
}

class StreamTarget implements OutputTarget {
  readerGone = false;
  bytesWritten = 0;
  readonly #stream: WritableStream;
  /** The stream tells of an error twice: to the write's callback, and by an event that may not go unheard. */
  readonly #onError = (): void => undefined;

  constructor(stream: WritableStream) {
    this.#stream = stream;
    stream.on('error', this.#onError);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.readerGone) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error === undefined || error === null) {
          this.bytesWritten += bytes.length;
          return resolve();
        }
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== 'EPIPE' && code !== 'ERR_STREAM_DESTROYED') return reject(diskFailed('standard output', error));
        this.readerGone = true;
        return resolve();
      });
    });
  }

  // The listener stays after an EPIPE: Node may report the same error once more after the last write.
  finish(): Promise<void> {
    if (!this.readerGone) this.#stream.off('error', this.#onError);
    return Promise.resolve();
  }

  abandon(): Promise<void> {
    return this.finish();
  }
}

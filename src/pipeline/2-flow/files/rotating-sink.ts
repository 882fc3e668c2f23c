/**
 * Flow records to Parquet files of one period each, in a folder: for a collector, which runs for months. Names say the
 * period's start in UTC; a file is called `.partial` until it is whole. A disk that fails throws nothing: rows wait, as
 * many as a row group holds, and what has no room then is refused and counted. At any time
 * rows handed over = rows in files + rows that wait + rows not stored.
 */
import { assertInvariant, describeError, InvariantError, limits } from '#base';
import type { FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import { diskFolder, FileCatalog, partialSuffix, type FolderFiles } from './file-catalog.ts';
import { ColumnEncoder } from './parquet-column.ts';
import { diskFiles, ParquetFile, type ParquetCompression, type WritableFiles } from './parquet-file.ts';
import { ParquetMemory } from './parquet-memory.ts';
import { RowGroup } from './row-group.ts';

export type RotatingSinkOptions = {
  readonly folder: string;
  /** What the names begin with. */
  readonly prefix: string;
  /** Length of a period; periods begin at its multiples since 1970, so those of a day at midnight UTC. */
  readonly everyMs: number;
  /** A file is closed when one more row group like its last would make it larger. */
  readonly bytesMax: number;
  readonly rowsMax?: number | undefined;
  /** Bytes of all files that are kept; the oldest are deleted, the newest never is. */
  readonly keepBytesMax?: number | undefined;
  /** Age at which a file is deleted, from the end of its period. */
  readonly keepMs?: number | undefined;
  /** `none` without it: the rate of records decides in a collector. */
  readonly compression?: ParquetCompression | undefined;
  readonly groupRows?: number | undefined;
  /** Pause after a failure. */
  readonly retryMs?: number | undefined;
  /** Told of rows [first, end) that are not stored: of a batch that is being handed over, or of those that wait. */
  readonly onLost?: ((batch: FlowBatch, first: number, end: number) => void) | undefined;
  /** So many rows, the first of those that wait, are in the open file now. */
  readonly onWritten?: ((rows: number) => void) | undefined;
  /** The open file is whole and about to get its name; told again when that has to be tried again. */
  readonly onFinishing?: ((name: string, rows: number) => void) | undefined;
  /** The file that was open has its name. */
  readonly onFinished?: ((name: string, rows: number, bytes: number) => void) | undefined;
  /** So many rows, the last of the open file, are not stored after all. */
  readonly onBroken?: ((rows: number) => void) | undefined;
};

/** What was found in the folder. */
export type FolderFinding = {
  /** Names of files that a killed run left and that are called `.broken` now. */
  readonly broken: readonly string[];
  /** Names of files that a killed run left whole, and that have their names now. */
  readonly finished: readonly string[];
  /** What is wrong with the folder. */
  readonly fault: string | undefined;
};

export type RotatingSinkCounts = {
  /** Files that are whole. */
  readonly files: number;
  /** Rows in those, and in the file that is being written. */
  readonly rows: number;
  readonly bytes: number;
  /** Rows in memory. */
  readonly waitingRows: number;
  /** Rows not stored. */
  readonly failedRows: number;
  /** Those of them that were in a file that could not be finished: `onBroken` was told of these, `onLost` was not. */
  readonly brokenRows: number;
  readonly brokenFiles: number;
  readonly deletedFiles: number;
  readonly deletedBytes: number;
  /** The disk failed, and has not been tried with success since. */
  readonly isFailing: boolean;
  readonly lastError: { readonly text: string; readonly atMs: number } | undefined;
};

/** A pause that costs nothing while a disk is full, and little when there is room again. */
const usualRetryMs = 1_000;
/** A full disk, or a full share of it: worth waiting for with what is written already. */
const fullDiskCodes: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT']);

type CurrentFile = { readonly name: string; readonly file: ParquetFile; isWhole: boolean };

export class RotatingSink {
  readonly #options: RotatingSinkOptions;
  readonly #info: FlowSetInfo;
  readonly #files: WritableFiles;
  readonly #catalog: FileCatalog;
  readonly #encoder: ColumnEncoder;
  readonly #rowsMax: number;
  readonly #retryMs: number;
  readonly #group: RowGroup;
  /** Start of the period of what is being collected; undefined while there is nothing. */
  #periodMs: number | undefined;
  #current: CurrentFile | undefined;
  /** A file that could not be finished when it should have been. One at most: until it is, no other is begun. */
  #unfinished: CurrentFile | undefined;
  #isOpened = false;
  /** Has this run begun a file? What it gave up then is counted as not stored, and does not come back. */
  #hasBegun = false;
  /** The latest time that somebody told. */
  #nowMs = 0;
  #retryAtMs = -Infinity;
  #nextDeletionMs = -Infinity;
  readonly #counts = {
    files: 0, rows: 0, bytes: 0, failedRows: 0, brokenRows: 0, brokenFiles: 0, deletedFiles: 0, deletedBytes: 0,
  };
  #lastError: RotatingSinkCounts['lastError'];
  #isFailing = false;

  /** @param files  the disk; another one for tests */
  constructor(options: RotatingSinkOptions, info: FlowSetInfo,
    files: WritableFiles & FolderFiles = { ...diskFiles, ...diskFolder }) {
    const { everyMs, rowsMax } = options;
    assertInvariant(everyMs >= 1_000 && everyMs % 1_000 === 0, 'a period of files has whole seconds');
    assertInvariant(rowsMax === undefined || rowsMax >= 1, 'a file has room for a row');
    this.#options = options;
    this.#info = info;
    this.#files = files;
    const isDeleting = options.keepMs !== undefined || options.keepBytesMax !== undefined;
    this.#catalog = new FileCatalog(options.folder, options.prefix, isDeleting, files);
    this.#rowsMax = rowsMax ?? Infinity;
    this.#retryMs = options.retryMs ?? usualRetryMs;
    const memory = new ParquetMemory(options.groupRows ?? limits.parquetGroupRows);
    this.#encoder = new ColumnEncoder(memory);
    this.#group = new RowGroup(memory);
  }

  /** Looks at the folder, and makes it when there is none. Without this call the first row does it. */
  open(nowMs: number): FolderFinding {
    this.#nowMs = nowMs;
    try {
      const { broken, finished } = this.#catalog.open(!this.#hasBegun);
      this.#counts.brokenFiles += broken.length;
      this.#isOpened = true;
      return { broken, finished, fault: undefined };
    } catch (thrown) {
      return { broken: [], finished: [], fault: this.#fail(thrown) };
    }
  }

  /** Name that the file will get that is being written, or waits to be finished. */
  get openFile(): string | undefined {
    return (this.#unfinished ?? this.#current)?.name;
  }

  /**
   * Takes the rows of a batch.
   *
   * @param batch  read only; may be reused at once. Batches share their dictionaries, or a row group ends with each
   * @returns      how many of them, from the end, are not stored; 0 as long as the disk works
   */
  write(batch: FlowBatch, nowMs: number): number {
    this.tick(nowMs);
    const group = this.#group;
    if (!group.takes(batch) && !this.#flush()) return this.#lose(batch, 0, batch.rowCount);
    for (let row = 0; row < batch.rowCount;) {
      const room = this.#room(group);
      if (room === 0) {
        if (!this.#flush()) return this.#lose(batch, row, batch.rowCount);
        continue;
      }
      const end = Math.min(batch.rowCount, row + room);
      group.append(batch, row, end);
      this.#periodMs ??= this.#periodOf(nowMs);
      row = end;
    }
    if (this.#room(group) === 0) this.#flush();
    return 0;
  }

  /** Time passes: periods end, what failed is tried again, what is old is deleted. Call it every second or so. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isPausing(this.#retryAtMs)) {
      this.#finishUnfinished();
      if (this.#room(this.#group) === 0) this.#flush();
    }
    const periodMs = this.#periodMs;
    const { everyMs } = this.#options;
    // A clock that is set back a little does not begin the period before once more.
    if (periodMs !== undefined && (nowMs >= periodMs + everyMs || nowMs < periodMs - everyMs)) {
      const isFlushed = this.#flush();
      this.#finishCurrent();
      // What could not be written goes into a file of the period in which it can.
      this.#periodMs = isFlushed ? undefined : this.#periodOf(nowMs);
    }
    this.#deleteOld();
  }

  /** Writes what waits and finishes the file. What a full disk does not take even now is counted as not stored. */
  end(): RotatingSinkCounts {
    // Twice: what the first file does not take, the next one may.
    for (let attempt = 0; attempt < 2; attempt++) {
      this.#retryAtMs = -Infinity;
      this.#finishUnfinished();
      this.#retryAtMs = -Infinity;
      if (this.#flush()) break;
    }
    this.#finishCurrent();
    if (this.#unfinished !== undefined) this.#salvage(this.#unfinished);
    const group = this.#group;
    if (group.rowCount > 0) {
      this.#lose(group.whole(), 0, group.rowCount);
      group.clear();
    }
    this.#periodMs = undefined;
    return this.counts();
  }

  counts(): RotatingSinkCounts {
    const open = (this.#current?.file.bytes ?? 0) + (this.#unfinished?.file.bytes ?? 0);
    return {
      ...this.#counts, bytes: this.#counts.bytes + open, waitingRows: this.#group.rowCount,
      isFailing: this.#isFailing, lastError: this.#lastError,
    };
  }

  /** Is the pause after a failure not over? A clock that was set back does not make it longer. */
  #isPausing(endMs: number): boolean {
    return this.#nowMs < endMs && this.#nowMs >= endMs - this.#retryMs;
  }

  #periodOf(nowMs: number): number {
    return Math.floor(nowMs / this.#options.everyMs) * this.#options.everyMs;
  }

  /** Rows that may join the group. */
  #room(group: RowGroup): number {
    const inFile = this.#rowsMax - (this.#current?.file.rows ?? 0) - group.rowCount;
    return Math.max(0, Math.min(group.capacity - group.rowCount, inFile));
  }

  #lose(batch: FlowBatch, first: number, end: number): number {
    this.#counts.failedRows += end - first;
    this.#options.onLost?.(batch, first, end);
    return end - first;
  }

  /** Notes a failure of the disk. @throws InvariantError  it was none, but our own bug */
  #fail(thrown: unknown): string {
    if (thrown instanceof InvariantError) throw thrown;
    const text = describeError(thrown);
    this.#lastError = { text, atMs: this.#nowMs };
    this.#isFailing = true;
    this.#retryAtMs = this.#nowMs + this.#retryMs;
    return text;
  }

  /** Writes the group that waits. @returns false when it still waits */
  #flush(): boolean {
    const group = this.#group;
    if (group.rowCount === 0) return true;
    if (this.#isPausing(this.#retryAtMs)) return false;
    const current = this.#current ?? this.#begin();
    if (current === undefined) return false;
    try {
      current.file.writeGroup(group);
    } catch (thrown) {
      this.#fail(thrown);
      // It may be this file alone: its groups are made a whole file, and the next one is tried.
      this.#finishCurrent();
      return false;
    }
    this.#isFailing = false;
    const rows = group.rowCount;
    this.#counts.rows += rows;
    group.clear();
    this.#options.onWritten?.(rows);
    const { file } = current;
    const isFull = file.rows >= this.#rowsMax || file.bytes + file.lastGroupBytes > this.#options.bytesMax;
    if (isFull) this.#finishCurrent();
    return true;
  }

  /** Begins a file. @returns undefined when that fails */
  #begin(): CurrentFile | undefined {
    if (this.#unfinished !== undefined) return undefined;
    if (!this.#isOpened && this.open(this.#nowMs).fault !== undefined) return undefined;
    try {
      const name = this.#catalog.chooseName(this.#periodMs ?? this.#periodOf(this.#nowMs));
      const file = new ParquetFile(this.#catalog.path(name + partialSuffix), this.#encoder,
        this.#options.compression ?? 'none', this.#files);
      this.#current = { name, file, isWhole: false };
      this.#hasBegun = true;
      return this.#current;
    } catch (thrown) {
      this.#fail(thrown);
      // The folder may have been taken away.
      this.#isOpened = false;
      return undefined;
    }
  }

  #finishCurrent(): void {
    if (this.#current === undefined) return;
    this.#unfinished = this.#current;
    this.#current = undefined;
    this.#finishUnfinished();
  }

  #finishUnfinished(): void {
    const unfinished = this.#unfinished;
    if (unfinished === undefined) return;
    try {
      this.#finish(unfinished);
    } catch (thrown) {
      this.#fail(thrown);
      const { code } = thrown as NodeJS.ErrnoException;
      // A whole file waits for its name, another one for room on the disk. What else may be wrong is the file's own.
      const mayCome = unfinished.isWhole ? code !== 'ENOENT' : fullDiskCodes.has(code);
      if (!mayCome) this.#giveUp(unfinished);
    }
  }

  #finish(unfinished: CurrentFile): void {
    const { name, file } = unfinished;
    if (file.groups === 0) {
      this.#unfinished = undefined;
      file.close();
      this.#catalog.discard(name + partialSuffix);
      return;
    }
    if (!unfinished.isWhole) {
      file.finish(this.#info);
      unfinished.isWhole = true;
    }
    file.close();
    this.#options.onFinishing?.(name, file.rows);
    this.#catalog.keep(name, file.bytes);
    this.#unfinished = undefined;
    this.#isFailing = false;
    this.#counts.files++;
    this.#counts.bytes += file.bytes;
    this.#options.onFinished?.(name, file.rows, file.bytes);
  }

  /** At the end, on a full disk: takes row groups away until there is room for the footer. */
  #salvage(unfinished: CurrentFile): void {
    while (this.#unfinished !== undefined && !unfinished.isWhole && unfinished.file.groups > 0) {
      const rows = unfinished.file.dropLastGroup();
      this.#countBroken(rows);
      this.#finishUnfinished();
    }
    if (this.#unfinished !== undefined) this.#giveUp(unfinished);
  }

  /** A file that cannot be finished: it stays under a name that says so, its rows count as not stored. */
  #giveUp(unfinished: CurrentFile): void {
    const { name, file } = unfinished;
    this.#unfinished = undefined;
    this.#countBroken(file.rows);
    this.#counts.brokenFiles++;
    try {
      file.close();
      this.#catalog.setAside(name + partialSuffix);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #countBroken(rows: number): void {
    this.#counts.rows -= rows;
    this.#counts.failedRows += rows;
    this.#counts.brokenRows += rows;
    if (rows > 0) this.#options.onBroken?.(rows);
  }

  #deleteOld(): void {
    const { keepMs, keepBytesMax, everyMs } = this.#options;
    const [oldest] = this.#catalog.kept;
    if (oldest === undefined || this.#isPausing(this.#nextDeletionMs)) return;
    const isOld = (): boolean => keepMs !== undefined && this.#catalog.kept.length > 0 &&
      this.#catalog.kept[0]!.startMs + everyMs + keepMs <= this.#nowMs;
    const isTooMuch = (): boolean => keepBytesMax !== undefined && this.#catalog.kept.length > 1 &&
      this.#catalog.keptBytes > keepBytesMax;
    if (!isOld() && !isTooMuch()) return;
    try {
      // Somebody may have taken files away: those must not make others go.
      this.#catalog.scan();
      while (isOld() || isTooMuch()) {
        this.#counts.deletedBytes += this.#catalog.deleteOldest();
        this.#counts.deletedFiles++;
      }
    } catch (thrown) {
      this.#lastError = { text: describeError(thrown), atMs: this.#nowMs };
      this.#nextDeletionMs = this.#nowMs + this.#retryMs;
    }
  }
}

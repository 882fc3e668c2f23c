/**
 * A Parquet file of flow records while it is written: row groups one after the other, then the footer. A write that
 * fails leaves the file as it was after the group before, so that it can be tried again, or the file be finished
 * without what failed. Names, temporary or not, are the business of whoever opens it.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writevSync } from 'node:fs';
import { constants as zlibConstants, zstdCompressSync } from 'node:zlib';
import { schema } from '../schema.ts';
import type { FlowSetInfo } from '../flow-batch.ts';
import type { ColumnEncoder } from './parquet-column.ts';
import {
  buildFooter, codecs, findFooter, footerHead, footerTailBytes, magic, putDataHeader, putDictionaryHeader, putRowGroup,
  type ChunkPlace,
} from './parquet-layout.ts';
import { GrowingBytes, ThriftWriter } from './parquet-thrift.ts';
import type { RowGroup } from './row-group.ts';

/** Key of the file's metadata under which the `FlowSetInfo` stands as JSON. */
export const parquetInfoKey = 'natlens';

/** `zstd` takes half of the bytes of `none`, and two to three times its CPU time. */
export type ParquetCompression = 'none' | 'zstd';

/**
 * Level 3, zstd's default, takes half as much time again for the same bytes; snappy in JavaScript four times as much.
 */
const zstdOptions = { params: { [zlibConstants.ZSTD_c_compressionLevel]: 1 } };
/** A chunk of which compression leaves more than this is stored as it is: reading it is for nothing then. */
const compressedShareMax = 0.9;
/** Smaller chunks are not compressed at all. */
const compressedBytesMin = 512;

/** What this file needs of `node:fs`; tests put a failing disk in its place. */
export type WritableFiles = {
  readonly openSync: (path: string, flags: number) => number;
  readonly writevSync: (file: number, pieces: readonly Uint8Array[]) => number;
  readonly ftruncateSync: (file: number, bytes: number) => void;
  readonly closeSync: (file: number) => void;
};

/** Appending, so that what follows a group that was cut off begins where it began. */
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

export const diskFiles: WritableFiles = { openSync, writevSync, ftruncateSync, closeSync };

/** Where a row group begins, and what was known before it. */
type GroupMark = { readonly bytes: number; readonly descriptionBytes: number; readonly rows: number };

export class ParquetFile {
  /** Bytes of the file so far. */
  bytes = 0;
  /** Rows of the groups so far. */
  rows = 0;
  /** Bytes that the last group took. */
  lastGroupBytes = 0;
  readonly #files: WritableFiles;
  readonly #file: number;
  readonly #encoder: ColumnEncoder;
  readonly #compression: ParquetCompression;
  /** Headers of the pages of one column chunk. */
  readonly #headers = new GrowingBytes(1 << 8);
  readonly #headerWriter = new ThriftWriter(this.#headers);
  /** Descriptions of the row groups so far, as the footer takes them: some 4 kB each. */
  readonly #descriptions = new GrowingBytes(1 << 14);
  readonly #descriptionWriter = new ThriftWriter(this.#descriptions);
  readonly #marks: GroupMark[] = [];
  #isOpen = true;
  /** What could not be undone: nothing can follow it. */
  #damage: unknown;

  /**
   * Creates the file.
   *
   * @param encoder  for groups of as many rows as come; may be shared with files that are written in turn
   * @throws Error  what the system says
   */
  constructor(path: string, encoder: ColumnEncoder, compression: ParquetCompression, files = diskFiles) {
    this.#files = files;
    this.#encoder = encoder;
    this.#compression = compression;
    this.#file = files.openSync(path, createFlags);
  }

  get groups(): number {
    return this.#marks.length;
  }

  /**
   * Writes a row group.
   *
   * @param group  at least one row
   * @throws Error           what the system says; nothing of the group is in the file
   * @throws InvariantError  a counter is no whole number
   */
  writeGroup(group: RowGroup): void {
    const mark = { bytes: this.bytes, descriptionBytes: this.#descriptions.at, rows: this.rows };
    try {
      this.#begin();
      const chunks = schema.map((column) => {
        this.#encoder.encode(group, column);
        return this.#writeChunk(group.rowCount);
      });
      putRowGroup(this.#descriptionWriter, group.rowCount, chunks);
    } catch (thrown) {
      this.#returnTo(mark);
      throw thrown;
    }
    this.rows += group.rowCount;
    this.lastGroupBytes = this.bytes - mark.bytes;
    this.#marks.push(mark);
  }

  /** Takes the last row group out of the file again. @returns its rows */
  dropLastGroup(): number {
    const mark = this.#marks.pop();
    if (mark === undefined) return 0;
    const rows = this.rows - mark.rows;
    this.#returnTo(mark);
    this.rows = mark.rows;
    return rows;
  }

  /** Writes the footer; the file is whole then, and still open. @throws Error  what the system says; try again */
  finish(info: FlowSetInfo): void {
    const mark = { bytes: this.bytes, descriptionBytes: this.#descriptions.at, rows: this.rows };
    try {
      this.#begin();
      this.#write([buildFooter({
        rows: this.rows, groups: this.groups, groupBytes: this.#descriptions.written(), createdBy: 'natlens',
        metadata: [{ key: parquetInfoKey, value: JSON.stringify(info) }],
      })]);
    } catch (thrown) {
      this.#returnTo(mark);
      throw thrown;
    }
  }

  /** Once is enough and further times do nothing: the number of a closed file may be another file's already. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#files.closeSync(this.#file);
  }

  #begin(): void {
    if (this.bytes === 0) this.#write([magic]);
  }

  #returnTo(mark: GroupMark): void {
    this.bytes = mark.bytes;
    this.#descriptions.at = mark.descriptionBytes;
    try {
      this.#files.ftruncateSync(this.#file, mark.bytes);
    } catch (thrown) {
      this.#damage = thrown;
    }
  }

  /** Writes what the encoder made of a column. */
  #writeChunk(rows: number): ChunkPlace {
    const { dictionaryPage, dataPage, entries, range } = this.#encoder;
    const plain = [dictionaryPage.written(), dataPage.written()] as const;
    const compressed = this.#compression === 'zstd' ? compress(plain) : undefined;
    const [dictionary, data] = compressed ?? plain;
    const begin = this.bytes;
    const headers = this.#headers;
    headers.clear();
    if (entries > 0) putDictionaryHeader(this.#headerWriter, sizeOf(plain[0], dictionary), entries);
    const dictionaryHeaderBytes = headers.at;
    putDataHeader(this.#headerWriter, sizeOf(plain[1], data), rows, entries > 0);
    this.#write([
      headers.bytes.subarray(0, dictionaryHeaderBytes), dictionary,
      headers.bytes.subarray(dictionaryHeaderBytes, headers.at), data,
    ]);
    return {
      rows, range,
      codec: compressed === undefined ? codecs.none : codecs.zstd,
      plainBytes: headers.at + plain[0].length + plain[1].length,
      storedBytes: this.bytes - begin,
      dictionaryPageOffset: entries > 0 ? begin : undefined,
      dataPageOffset: begin + dictionaryHeaderBytes + dictionary.length,
    };
  }

  /** Writes pieces one after the other, all of them. */
  #write(pieces: readonly Uint8Array[]): void {
    if (this.#damage !== undefined) throw this.#damage;
    let left = pieces.filter((piece) => piece.length > 0);
    while (left.length > 0) {
      let written = this.#files.writevSync(this.#file, left);
      this.bytes += written;
      const first = left.findIndex((piece) => {
        if (written < piece.length) return true;
        written -= piece.length;
        return false;
      });
      left = first < 0 ? [] : [left[first]!.subarray(written), ...left.slice(first + 1)];
    }
  }
}

/** The two pages of a chunk, compressed; undefined when that does not pay. */
function compress(pages: readonly [Uint8Array, Uint8Array]): readonly [Uint8Array, Uint8Array] | undefined {
  const [dictionary, data] = pages;
  const bytes = dictionary.length + data.length;
  if (bytes < compressedBytesMin) return undefined;
  const packedDictionary = dictionary.length === 0 ? dictionary : zstdCompressSync(dictionary, zstdOptions);
  const packedData = zstdCompressSync(data, zstdOptions);
  const packedBytes = packedDictionary.length + packedData.length;
  return packedBytes > bytes * compressedShareMax ? undefined : [packedDictionary, packedData];
}

function sizeOf(plain: Uint8Array, stored: Uint8Array): { plainBytes: number; storedBytes: number } {
  return { plainBytes: plain.length, storedBytes: stored.length };
}

/** Does a file of ours end in a footer, so that it is whole? What comes of a killed run usually does not. */
export function hasFooter(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size < footerTailBytes) return false;
    const tail = new Uint8Array(footerTailBytes);
    readSync(file, tail, 0, footerTailBytes, size - footerTailBytes);
    const begin = findFooter(tail, size);
    if (begin === undefined) return false;
    const head = new Uint8Array(footerHead.length);
    readSync(file, head, 0, head.length, begin);
    return head.every((byte, i) => byte === footerHead[i]);
  } finally {
    closeSync(file);
  }
}

/**
 * Scores forests by the WebAssembly kernel (`kernels/score/`): holds its memory, the compiled forests in it, and rows
 * on their way in and out. One of these serves all classifiers of a detector.
 */
import { limits, loadKernel } from '#base';
import type { EncodedRows, RowLayout } from '#feature';
import { type CompiledForest, compiledBytesMax, compileForest } from './compile-forest.ts';
import { pieceCountMax } from './cut-trees.ts';
import type { FittedForest } from './forest.ts';
import { scorePathSums } from './path-grid.ts';

/** The kernel's working memory; the same there. */
export const workLayout = {
  codeColumnsOffset: 256, slotRowsAt: 1088, slotCount: 256, slotMasksPointerAt: 2112,
  rowMasksPointerAt: 2116, fullMasksPointerAt: 2120, ranksAt: 2176,
} as const;

const numericFeaturesMax = workLayout.codeColumnsOffset / 4;
const categoricalFeaturesMax = 192;
/** Addresses of the columns of one set of rows. */
const addressBytes = (numericFeaturesMax + categoricalFeaturesMax) * 4;
const firstFreeByte = workLayout.ranksAt + numericFeaturesMax * 4;
const pageBytes = 65_536;
const growthPages = 32;
/** Rows that the kernel takes at once. */
const tileRows = 1024;
/** Memory that the columns, the masks of slots and one row's masks take, beside the compiled forests. */
const firstPages = 8;

/** The kernel takes eight pieces at a time. */
const piecesMore = 8;

type Kernel = {
  readonly scoreRows: (forest: number, columns: number, first: number, count: number, out: number) => void;
};

/** A set of columns that lie in the kernel's memory: known by the first of them, as sets are used whole. */
type Placed = { readonly first: Float32Array | Uint16Array | undefined; readonly addressesAt: number };

/** Columns in the kernel's memory. */
export type KernelRows = Pick<EncodedRows, 'numeric' | 'codes'>;

/** True when the kernel has room for so many features; others are scored by the readable code. */
function fitsKernel({ numericCount, categoryCounts }: RowLayout): boolean {
  return numericCount <= numericFeaturesMax && categoryCounts.length <= categoricalFeaturesMax;
}

export class ForestKernel {
  readonly #memory = new WebAssembly.Memory({ initial: firstPages });
  readonly #kernel: Kernel;
  #used = firstFreeByte;
  #workPieces = 0;
  #columnsAt = 0;
  #addressesAt = 0;
  #placed: readonly Placed[] = [];
  #sumsAt = 0;
  /** Masks that clear nothing. Forests point to those of their time; older ones stay where they are. */
  #fullAt = 0;
  #words: Uint32Array;
  #floats: Float32Array;
  #codes: Uint16Array;
  #doubles: Float64Array;

  constructor() {
    this.#kernel = loadKernel<Kernel>(new URL('forest-kernel.wasm', import.meta.url), this.#memory);
    this.#columnsAt = this.#allocate((numericFeaturesMax * 4 + categoricalFeaturesMax * 2) * tileRows);
    this.#sumsAt = this.#allocate(tileRows * 8);
    this.#addressesAt = this.#allocate(addressBytes);
    [this.#words, this.#floats, this.#codes, this.#doubles] = this.#view();
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /**
   * Takes a forest in.
   *
   * @returns undefined when there is no room for it (`limits.scoreMemoryBytesMax`) or for its features
   */
  compile(forest: FittedForest): CompiledForest | undefined {
    if (!fitsKernel(forest.layout)) return undefined;
    if (this.#used + compiledBytesMax(forest) > limits.scoreMemoryBytesMax) return undefined;
    this.#reserveWork(pieceCountMax(forest) + piecesMore);
    const compiled = compileForest(forest, this.#fullAt, (bytes) => this.#allocate(bytes),
      () => this.#memory.buffer as ArrayBuffer);
    this.#renewViews();
    this.#placed = [];
    return compiled;
  }

  /**
   * Columns that lie in the kernel's memory, so that rows need not be brought there. They are good until the kernel is
   * asked for more memory: by another call, or by the next forest.
   *
   * @param sets  as many times the columns of one set of rows
   * @returns undefined when there is no room
   */
  createRows(sets: number, shape: { numericCount: number; categoricalCount: number; capacity: number }):
  KernelRows[] | undefined {
    const { numericCount, categoricalCount, capacity } = shape;
    const columnBytes = numericCount * (capacity * 4 + 16) + categoricalCount * (capacity * 2 + 16) + addressBytes;
    if (this.#used + sets * columnBytes > limits.scoreMemoryBytesMax) return undefined;
    const places = Array.from({ length: sets }, () => ({
      addressesAt: this.#allocate(addressBytes),
      numeric: Array.from({ length: numericCount }, () => this.#allocate(capacity * 4)),
      codes: Array.from({ length: categoricalCount }, () => this.#allocate(capacity * 2)),
    }));
    this.#renewViews();
    const buffer = this.#memory.buffer as ArrayBuffer;
    const rows = places.map(({ numeric, codes, addressesAt }) => {
      numeric.forEach((at, feature) => void (this.#words[(addressesAt >>> 2) + feature] = at));
      const codesAt = addressesAt + workLayout.codeColumnsOffset;
      codes.forEach((at, feature) => void (this.#words[(codesAt >>> 2) + feature] = at));
      return {
        numeric: numeric.map((at) => new Float32Array(buffer, at, capacity)),
        codes: codes.map((at) => new Uint16Array(buffer, at, capacity)),
      };
    });
    this.#placed = rows.map(({ numeric, codes }, i) => ({
      first: numeric[0] ?? codes[0], addressesAt: places[i]?.addressesAt ?? 0,
    }));
    return rows;
  }

  /** Anomaly scores of rows. @param out  [rowCount]; overwritten */
  score(compiled: CompiledForest, rows: EncodedRows, out: Float64Array): void {
    const { rowCount } = rows;
    const first = rows.numeric[0] ?? rows.codes[0];
    const placed = first === undefined ? undefined : this.#placed.find((set) => set.first === first);
    for (let from = 0; from < rowCount; from += tileRows) {
      const count = Math.min(tileRows, rowCount - from);
      if (placed === undefined) this.#place(rows, from, count);
      this.#kernel.scoreRows(compiled.address, placed?.addressesAt ?? this.#addressesAt,
        placed === undefined ? 0 : from, count, this.#sumsAt);
      const sums = this.#sumsAt >>> 3;
      for (let row = 0; row < count; row++) out[from + row] = this.#doubles[sums + row] as number;
    }
    scorePathSums(out, rowCount, compiled.usualSum);
  }

  #place({ numeric, codes }: EncodedRows, first: number, count: number): void {
    let at = this.#columnsAt;
    for (let feature = 0; feature < numeric.length; feature++, at += tileRows * 4) {
      this.#words[(this.#addressesAt >>> 2) + feature] = at;
      const column = numeric[feature] as Float32Array;
      for (let row = 0, to = at >>> 2; row < count; row++) this.#floats[to + row] = column[first + row] as number;
    }
    for (let feature = 0; feature < codes.length; feature++, at += tileRows * 2) {
      this.#words[(this.#addressesAt + workLayout.codeColumnsOffset >>> 2) + feature] = at;
      const column = codes[feature] as Uint16Array;
      for (let row = 0, to = at >>> 1; row < count; row++) this.#codes[to + row] = column[first + row] as number;
    }
  }

  /** Room for the masks of the largest forest: one row's, those of the slots, and such that clear nothing. */
  #reserveWork(pieceCount: number): void {
    if (pieceCount <= this.#workPieces) return;
    this.#workPieces = pieceCount;
    const slots = this.#allocate(workLayout.slotCount * pieceCount * 8);
    const row = this.#allocate(pieceCount * 8);
    const full = this.#allocate(pieceCount * 8);
    const words = new Uint32Array(this.#memory.buffer);
    words[workLayout.slotMasksPointerAt >>> 2] = slots;
    words[workLayout.rowMasksPointerAt >>> 2] = row;
    words[workLayout.fullMasksPointerAt >>> 2] = full;
    words.fill(0xffff_ffff, full >>> 2, (full >>> 2) + pieceCount * 2);
    this.#fullAt = full;
  }

  #allocate(bytes: number): number {
    const at = this.#used;
    this.#used += Math.ceil(bytes / 16) * 16;
    const missing = this.#used - this.#memory.buffer.byteLength;
    // More at once than is missing: each growth makes new views of the memory.
    if (missing > 0) this.#memory.grow(Math.max(Math.ceil(missing / pageBytes), growthPages));
    return at;
  }

  #renewViews(): void {
    [this.#words, this.#floats, this.#codes, this.#doubles] = this.#view();
  }

  #view(): [Uint32Array, Float32Array, Uint16Array, Float64Array] {
    const { buffer } = this.#memory;
    return [new Uint32Array(buffer), new Float32Array(buffer), new Uint16Array(buffer), new Float64Array(buffer)];
  }
}

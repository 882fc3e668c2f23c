/**
 * Makes the tables of the scoring kernel (`kernels/score/`) from a forest: which leaves of each piece a category
 * clears, and which ones a number clears, threshold after threshold. Made when a classifier is loaded, never shipped.
 */
import { cutTrees, leavesPerPiece, pieceCountMax, type PieceNodes } from './cut-trees.ts';
import type { FittedForest } from './forest.ts';
import { pathGrid, usualPathSum } from './path-grid.ts';

/** Layout of a compiled forest; the same in the kernel. */
export const forestLayout = {
  wPieces: 0, wNumericCount: 4, wCategoryCount: 8, wLeaves: 12, wNumericTables: 16, wCategoryTables: 20,
  wLengths: 24, wHasWideLeaves: 28,
  numericTableBytes: 32, nThresholds: 0, nThresholdCount: 4, nCheckpoints: 8, nUpdates: 12, nPivots: 16, nTop: 20,
  nTopEnd: 24,
  categoryTableBytes: 16, cMasks: 0, cCount: 4, cUnseen: 8, updateBytes: 16, blockShift: 4, blockSize: 16,
} as const;

const headerBytes = 32;
const maskBytes = 8;
/** The kernel takes eight pieces at a time. */
const pieceStep = 8;
/** The lowest bit of no mask would be leaf 64: there must be something to read there. */
const endBytes = 8;
const narrowLengthsMax = 256;
/** Numbers that the kernel compares at once. */
const vectorFloats = 4;
const { blockSize } = forestLayout;

/** Gives room in the kernel's memory; the address is a multiple of 16. */
export type Allocate = (bytes: number) => number;

/** Where a compiled forest lies, how many words of masks it works with, and what makes a score of its sums. */
export type CompiledForest = { readonly address: number; readonly pieceCount: number; readonly usualSum: number };

/** Bytes that the tables of a forest may take at most. */
export function compiledBytesMax(forest: FittedForest): number {
  const { numericCount, categoryCounts } = forest.layout;
  const pieces = pieceCountMax(forest) + pieceStep;
  const nodes = forest.column.length / 2 + pieces * leavesPerPiece;
  const rows = nodes / blockSize + numericCount + categoryCounts.reduce((sum, count) => sum + count + 1, 0);
  return Math.ceil(rows * pieces * maskBytes + pieces * leavesPerPiece * 2 +
    nodes * (forestLayout.updateBytes + 8)) + 65_536;
}

/**
 * Writes the tables of a forest.
 *
 * @param full      address of the masks of a category and of a number that clear nothing; it must hold
 *                  `pieceCountMax` + 8 words of 64 bits
 * @param viewOf    the kernel's memory, as large as `allocate` has made it
 */
export function compileForest(forest: FittedForest, full: number, allocate: Allocate,
  viewOf: () => ArrayBuffer): CompiledForest {
  const { numericCount, categoryCounts } = forest.layout;
  const { count, leaves, lengths, nodes } = cutTrees(forest, pathGrid(forest.treeStart.length - 1));
  const pieceCount = Math.ceil(count / pieceStep) * pieceStep;
  const rowBytes = pieceCount * maskBytes;
  const order = sortNodes(nodes);
  const isWide = lengths.length > narrowLengthsMax;
  const l = forestLayout;
  const address = allocate(headerBytes);
  const numericTables = allocate(numericCount * l.numericTableBytes);
  const categoryTables = allocate(categoryCounts.length * l.categoryTableBytes);
  const leavesAt = allocate(pieceCount * leavesPerPiece * (isWide ? 2 : 1) + endBytes);
  const lengthsAt = allocate(lengths.length * 8);
  let words = new Uint32Array(viewOf());
  words.set([pieceCount, numericCount, categoryCounts.length, leavesAt, numericTables, categoryTables, lengthsAt,
    isWide ? 1 : 0], address >>> 2);
  new Float64Array(words.buffer, lengthsAt, lengths.length).set(lengths);
  const used = leaves.subarray(0, count * leavesPerPiece);
  if (isWide) new Uint16Array(words.buffer, leavesAt, used.length).set(used);
  else new Uint8Array(words.buffer, leavesAt, used.length).set(used);

  let next = 0;
  for (let feature = 0; feature < numericCount; feature++) {
    const first = next;
    while (next < nodes.count && nodes.column[order[next] as number] === feature) next++;
    const table = writeNumbers(nodes, order.subarray(first, next), rowBytes, allocate, viewOf);
    words = new Uint32Array(viewOf());
    words.set(table, (numericTables + feature * l.numericTableBytes) >>> 2);
  }
  let firstColumn = numericCount;
  for (let feature = 0; feature < categoryCounts.length; feature++) {
    const codeCount = categoryCounts[feature] as number;
    const first = next;
    while (next < nodes.count && (nodes.column[order[next] as number] as number) < firstColumn + codeCount) next++;
    const table = writeCategories(nodes, order.subarray(first, next),
      { firstColumn, codeCount, rowBytes, full }, allocate, viewOf);
    words = new Uint32Array(viewOf());
    words.set(table, (categoryTables + feature * l.categoryTableBytes) >>> 2);
    firstColumn += codeCount;
  }
  return { address, pieceCount, usualSum: usualPathSum(forest.treeStart.length - 1, forest.maxSamples) };
}

/** Indexes of the nodes, by column and threshold. */
function sortNodes({ count, column, threshold }: PieceNodes): Uint32Array {
  // One number a node, so that the sort need not call back: column, threshold in an order of integers, index.
  const bits = new Int32Array(threshold.buffer, 0, count);
  const keys = new BigUint64Array(count);
  const halves = new Uint32Array(keys.buffer);
  const order = new Uint32Array(count);
  const byColumn = countingSort(column, count);
  for (let i = 0; i < count; i++) {
    const node = byColumn[i] as number;
    const signed = bits[node] as number;
    halves[2 * i] = node;
    halves[2 * i + 1] = signed < 0 ? ~signed : signed | 0x8000_0000;
  }
  for (let first = 0; first < count;) {
    const at = column[byColumn[first] as number];
    let end = first + 1;
    while (end < count && column[byColumn[end] as number] === at) end++;
    keys.subarray(first, end).sort();
    first = end;
  }
  for (let i = 0; i < count; i++) order[i] = halves[2 * i] as number;
  return order;
}

function countingSort(column: Uint16Array, count: number): Uint32Array {
  let highest = 0;
  for (let i = 0; i < count; i++) highest = Math.max(highest, column[i] as number);
  const starts = new Uint32Array(highest + 2);
  for (let i = 0; i < count; i++) {
    const after = (column[i] as number) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let at = 1; at < starts.length; at++) starts[at] = (starts[at] as number) + (starts[at - 1] as number);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const at = column[i] as number;
    const place = starts[at] as number;
    starts[at] = place + 1;
    order[place] = i;
  }
  return order;
}

/** Tables of a numeric feature. @param order  its nodes, by threshold @returns the words that tell where they lie */
function writeNumbers(nodes: PieceNodes, order: Uint32Array, rowBytes: number, allocate: Allocate,
  viewOf: () => ArrayBuffer): number[] {
  const count = order.length;
  const blockCount = Math.floor(count / blockSize);
  const topCount = Math.floor(blockCount / blockSize);
  const thresholdsAt = allocate((count + blockSize) * 4);
  const pivotsAt = allocate((blockCount + blockSize) * 4);
  const topAt = allocate((topCount + vectorFloats) * 4);
  const updatesAt = allocate((count + blockSize) * forestLayout.updateBytes);
  const checkpointsAt = allocate((blockCount + 1) * rowBytes);
  const words = new Uint32Array(viewOf());
  // Filled up with infinities: no number is above them.
  const floats = new Float32Array(words.buffer);
  floats.fill(Infinity, thresholdsAt >>> 2, (updatesAt >>> 2));
  for (let i = 0; i < count; i++) floats[(thresholdsAt >>> 2) + i] = nodes.threshold[order[i] as number] as number;
  for (let i = 1; i <= blockCount; i++) {
    floats[(pivotsAt >>> 2) + i - 1] = floats[(thresholdsAt >>> 2) + i * blockSize - 1] as number;
  }
  for (let i = 1; i <= topCount; i++) {
    floats[(topAt >>> 2) + i - 1] = floats[(pivotsAt >>> 2) + i * blockSize - 1] as number;
  }
  // What fills up the last block clears nothing, of the first piece.
  words.fill(0xffff_ffff, updatesAt >>> 2, (updatesAt >>> 2) + (count + blockSize) * 4);
  for (let i = 0, to = updatesAt >>> 2; i < count + blockSize; i++, to += forestLayout.updateBytes >>> 2) {
    const node = order[i];
    words[to] = node === undefined ? 0 : (nodes.piece[node] as number) * maskBytes;
    if (node === undefined) continue;
    words[to + 2] = nodes.kept[2 * node] as number;
    words[to + 3] = nodes.kept[2 * node + 1] as number;
  }
  const rowWords = rowBytes >>> 2;
  let row = checkpointsAt >>> 2;
  words.fill(0xffff_ffff, row, row + rowWords);
  for (let failed = blockSize; failed <= count; failed += blockSize) {
    words.copyWithin(row + rowWords, row, row + rowWords);
    row += rowWords;
    for (let i = failed - blockSize; i < failed; i++) clear(words, row, nodes, order[i] as number);
  }
  return [thresholdsAt, count, checkpointsAt, updatesAt, pivotsAt, topAt,
    topAt + Math.ceil(topCount / vectorFloats) * vectorFloats * 4];
}

/** Tables of a categorical feature: what each of its categories clears, and a category that training never showed. */
function writeCategories(nodes: PieceNodes, order: Uint32Array,
  place: { firstColumn: number; codeCount: number; rowBytes: number; full: number },
  allocate: Allocate, viewOf: () => ArrayBuffer): number[] {
  const { firstColumn, codeCount, rowBytes, full } = place;
  const masksAt = allocate((codeCount + 1) * rowBytes);
  const words = new Uint32Array(viewOf());
  const rowWords = rowBytes >>> 2;
  const first = masksAt >>> 2;
  words.fill(0xffff_ffff, first, first + (codeCount + 1) * rowWords);
  let clearsUnseen = false;
  for (const node of order) {
    const code = (nodes.column[node] as number) - firstColumn;
    const threshold = nodes.threshold[node] as number;
    // A column is 1 for its own category, which fails when that is above the threshold, and 0 for all others.
    if (threshold < 1) clear(words, first + code * rowWords, nodes, node);
    if (threshold >= 0) continue;
    clearsUnseen = true;
    for (let other = 0; other <= codeCount; other++) {
      if (other !== code) clear(words, first + other * rowWords, nodes, node);
    }
  }
  return [masksAt, codeCount, clearsUnseen ? masksAt + codeCount * rowBytes : full];
}

function clear(words: Uint32Array, row: number, { piece, kept }: PieceNodes, node: number): void {
  const at = row + (piece[node] as number) * 2;
  words[at] = (words[at] as number) & (kept[2 * node] as number);
  words[at + 1] = (words[at + 1] as number) & (kept[2 * node + 1] as number);
}

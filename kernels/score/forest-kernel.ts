/**
 * Scores of isolation forests for WebAssembly (AssemblyScript, 128-bit vectors), after QuickScorer (Lucchese et al.
 * 2015): a tree is cut into pieces of at most 64 leaves, a node whose condition fails clears the bits of the leaves on
 * its left, and the lowest bit that stays is the leaf that the row falls into. Which bits a category clears, and those
 * that a number clears, stand in tables that `compile-forest.ts` makes from the forest: data from our own artifact.
 *
 * Sums of path lengths are exact (`path-grid.ts`), so they are those of the readable code in any order. Nothing here
 * allocates; no address is computed from a row but by a code or a rank that is checked against its table's size.
 */

// compile-forest.ts: words of a compiled forest
const wPieces: usize = 0;
const wNumericCount: usize = 4;
const wCategoryCount: usize = 8;
const wLeaves: usize = 12;
const wNumericTables: usize = 16;
const wCategoryTables: usize = 20;
const wLengths: usize = 24;
const wHasWideLeaves: usize = 28;
// Words of one numeric table
const numericTableBytes: usize = 32;
const nThresholds: usize = 0;
const nThresholdCount: usize = 4;
const nCheckpoints: usize = 8;
const nUpdates: usize = 12;
const nPivots: usize = 16;
const nTop: usize = 20;
const nTopEnd: usize = 24;
// Words of one category table
const categoryTableBytes: usize = 16;
const cMasks: usize = 0;
const cCount: usize = 4;
const cUnseen: usize = 8;
const updateBytes: usize = 16;
const blockShift: u32 = 4;
const blockSize: u32 = 16;

// forest-kernel.ts of the room: working memory
const codeColumnsOffset: usize = 256;
const slotRowsAt: usize = 1088;
const slotCount: u32 = 256;
const slotMasksPointerAt: usize = 2112;
const rowMasksPointerAt: usize = 2116;
const fullMasksPointerAt: usize = 2120;
const ranksAt: usize = 2176;
const none: u32 = 0xffffffff;

/** Addresses of the columns of the rows at hand: numbers, then codes. */
let columns: usize = 0;

/**
 * Sums of path lengths of rows [first, first + count) over all trees.
 *
 * @param forest     address of the compiled forest
 * @param columnsAt  address of the addresses of the rows' columns
 * @param out        address of count doubles
 */
export function scoreRows(forest: usize, columnsAt: usize, first: u32, count: u32, out: usize): void {
  columns = columnsAt;
  const pieces = <usize>load<u32>(forest, wPieces);
  const rowMasks = <usize>load<u32>(rowMasksPointerAt);
  const isAlone = count === 1;
  if (!isAlone) memory.fill(slotRowsAt, 0xff, <usize>slotCount * 4);
  for (const end = first + count; first < end; first++, out += 8) {
    const categories = findCategoryMasks(forest, first, pieces, isAlone);
    readNumbers(forest, first, pieces, categories, rowMasks);
    store<f64>(out, sumLeaves(forest, rowMasks, pieces));
  }
}

/** Masks of a row's categories together. Rows with the same categories share them, as long as they are in the slots. */
function findCategoryMasks(forest: usize, row: u32, pieces: usize, isAlone: bool): usize {
  const slots = <usize>load<u32>(slotMasksPointerAt);
  if (isAlone) {
    combineCategories(forest, row, pieces, slots);
    return slots;
  }
  const count = <usize>load<u32>(forest, wCategoryCount);
  let hash: u32 = 0;
  for (let feature: usize = 0; feature < count; feature++) {
    hash = (hash ^ <u32>readCode(feature, row)) * 0x9e3779b1;
  }
  const slot = hash >>> 24;
  const masks = slots + <usize>slot * (pieces << 3);
  const known = load<u32>(slotRowsAt + (<usize>slot << 2));
  if (known !== none && hasSameCodes(count, row, known)) return masks;
  store<u32>(slotRowsAt + (<usize>slot << 2), row);
  combineCategories(forest, row, pieces, masks);
  return masks;
}

@inline function readCode(feature: usize, row: u32): u16 {
  return load<u16>(<usize>load<u32>(columns + (feature << 2), codeColumnsOffset) + (<usize>row << 1));
}

function hasSameCodes(count: usize, a: u32, b: u32): bool {
  for (let feature: usize = 0; feature < count; feature++) {
    if (readCode(feature, a) !== readCode(feature, b)) return false;
  }
  return true;
}

function combineCategories(forest: usize, row: u32, pieces: usize, out: usize): void {
  const count = <usize>load<u32>(forest, wCategoryCount);
  const full = <usize>load<u32>(fullMasksPointerAt);
  let from = full;
  let feature: usize = 0;
  do {
    const first = categoryMasks(forest, feature, count, row, pieces, full);
    const second = categoryMasks(forest, feature + 1, count, row, pieces, full);
    const third = categoryMasks(forest, feature + 2, count, row, pieces, full);
    combine(from, first, second, third, pieces, out);
    from = out;
    feature += 3;
  } while (feature < count);
}

/** Masks of the category that a row has of a feature; all bits for a feature that is not there. */
@inline function categoryMasks(forest: usize, feature: usize, count: usize, row: u32, pieces: usize,
  full: usize): usize {
  if (feature >= count) return full;
  const table = <usize>load<u32>(forest, wCategoryTables) + feature * categoryTableBytes;
  const code = <u32>readCode(feature, row);
  if (code >= load<u32>(table, cCount)) return <usize>load<u32>(table, cUnseen);
  return <usize>load<u32>(table, cMasks) + <usize>code * (pieces << 3);
}

/** What four sets of masks have in common: eight pieces at a time. */
function combine(a: usize, b: usize, c: usize, d: usize, pieces: usize, out: usize): void {
  for (const end = out + (pieces << 3); out < end; out += 64, a += 64, b += 64, c += 64, d += 64) {
    v128.store(out, v128.and(v128.and(v128.load(a), v128.load(b)), v128.and(v128.load(c), v128.load(d))));
    v128.store(out, v128.and(v128.and(v128.load(a, 16), v128.load(b, 16)),
      v128.and(v128.load(c, 16), v128.load(d, 16))), 16);
    v128.store(out, v128.and(v128.and(v128.load(a, 32), v128.load(b, 32)),
      v128.and(v128.load(c, 32), v128.load(d, 32))), 32);
    v128.store(out, v128.and(v128.and(v128.load(a, 48), v128.load(b, 48)),
      v128.and(v128.load(c, 48), v128.load(d, 48))), 48);
  }
}

/**
 * Thresholds that a value fails: those below it; all of them when it is not a number. The last threshold of each block
 * of 16 is a pivot, the last pivot of each 16 blocks is one of the few of the top. All lists are filled up with
 * infinities, which only what is not a number fails.
 */
@inline function rank(value: f32, table: usize): u32 {
  if (value !== value) return load<u32>(table, nThresholdCount);
  const values = f32x4.splat(value);
  let failed = i32x4.splat(0);
  for (let at = <usize>load<u32>(table, nTop), end = <usize>load<u32>(table, nTopEnd); at < end; at += 16) {
    failed = i32x4.sub(failed, f32x4.gt(values, v128.load(at)));
  }
  const tops = sumLanes(failed) << blockShift;
  const pivots = tops + countFailed(values, <usize>load<u32>(table, nPivots) + (<usize>tops << 2)) << blockShift;
  return pivots + countFailed(values, <usize>load<u32>(table, nThresholds) + (<usize>pivots << 2));
}

/** Of 16 thresholds. */
@inline function countFailed(values: v128, at: usize): u32 {
  return 0 - sumLanes(i32x4.add(
    i32x4.add(f32x4.gt(values, v128.load(at)), f32x4.gt(values, v128.load(at, 16))),
    i32x4.add(f32x4.gt(values, v128.load(at, 32)), f32x4.gt(values, v128.load(at, 48)))));
}

@inline function sumLanes(counts: v128): u32 {
  const halves = i32x4.add(counts, v128.shuffle<u32>(counts, counts, 2, 3, 2, 3));
  return i32x4.extract_lane(halves, 0) + i32x4.extract_lane(halves, 1);
}

/**
 * Takes what the numbers of a row clear off the masks of its categories: most of it from tables, the rest one by one.
 */
function readNumbers(forest: usize, row: u32, pieces: usize, categories: usize, out: usize): void {
  const count = <usize>load<u32>(forest, wNumericCount);
  const full = <usize>load<u32>(fullMasksPointerAt);
  const tables = <usize>load<u32>(forest, wNumericTables);
  for (let feature: usize = 0; feature < count; feature++) {
    const table = tables + feature * numericTableBytes;
    const value = load<f32>(<usize>load<u32>(columns + (feature << 2)) + (<usize>row << 2));
    store<u32>(ranksAt + (feature << 2), rank(value, table));
  }
  let from = categories;
  let feature: usize = 0;
  do {
    const first = checkpointMasks(tables, feature, count, pieces, full);
    const second = checkpointMasks(tables, feature + 1, count, pieces, full);
    const third = checkpointMasks(tables, feature + 2, count, pieces, full);
    combine(from, first, second, third, pieces, out);
    from = out;
    feature += 3;
  } while (feature < count);
  for (feature = 0; feature < count; feature++) {
    const updates = <usize>load<u32>(tables + feature * numericTableBytes, nUpdates);
    clearFailed(load<u32>(ranksAt + (feature << 2)), updates, out);
  }
}

/**
 * Clears what the failed thresholds of the last block clear. All sixteen are gone through, those that are not failed
 * clear nothing: cheaper than a loop whose end cannot be foreseen.
 */
@inline function clearFailed(failed: u32, updates: usize, out: usize): void {
  let update = updates + <usize>(failed >>> blockShift << blockShift) * updateBytes;
  const rest = failed & (blockSize - 1);
  for (let i: u32 = 0; i < blockSize; i += 4, update += 4 * updateBytes) {
    clearOne(i < rest, update, out);
    clearOne(i + 1 < rest, update + updateBytes, out);
    clearOne(i + 2 < rest, update + 2 * updateBytes, out);
    clearOne(i + 3 < rest, update + 3 * updateBytes, out);
  }
}

@inline function clearOne(isFailed: bool, update: usize, out: usize): void {
  const at = out + <usize>load<u32>(update);
  store<u64>(at, load<u64>(at) & (load<u64>(update, 8) | (<u64>isFailed - 1)));
}

@inline function checkpointMasks(tables: usize, feature: usize, count: usize, pieces: usize, full: usize): usize {
  if (feature >= count) return full;
  const checkpoint = load<u32>(ranksAt + (feature << 2)) >>> blockShift;
  // The first one has nothing cleared.
  if (checkpoint === 0) return full;
  return <usize>load<u32>(tables + feature * numericTableBytes, nCheckpoints) + <usize>checkpoint * (pieces << 3);
}

/** Path lengths of the leaves that the masks leave, one of each piece. */
function sumLeaves(forest: usize, masks: usize, pieces: usize): f64 {
  const lengths = <usize>load<u32>(forest, wLengths);
  let leaves = <usize>load<u32>(forest, wLeaves);
  let sum0: f64 = 0;
  let sum1: f64 = 0;
  const end = masks + (pieces << 3);
  if (load<u32>(forest, wHasWideLeaves) !== 0) {
    for (; masks < end; masks += 16, leaves += 256) {
      sum0 += load<f64>(lengths + (<usize>load<u16>(leaves + (<usize>ctz<u64>(load<u64>(masks)) << 1)) << 3));
      sum1 += load<f64>(lengths + (<usize>load<u16>(leaves + (<usize>ctz<u64>(load<u64>(masks, 8)) << 1), 128) << 3));
    }
    return sum0 + sum1;
  }
  let sum2: f64 = 0;
  let sum3: f64 = 0;
  for (; masks < end; masks += 64, leaves += 512) {
    sum0 += narrowLeaf(lengths, leaves, masks, 0);
    sum1 += narrowLeaf(lengths, leaves, masks, 1);
    sum2 += narrowLeaf(lengths, leaves, masks, 2);
    sum3 += narrowLeaf(lengths, leaves, masks, 3);
    sum0 += narrowLeaf(lengths, leaves, masks, 4);
    sum1 += narrowLeaf(lengths, leaves, masks, 5);
    sum2 += narrowLeaf(lengths, leaves, masks, 6);
    sum3 += narrowLeaf(lengths, leaves, masks, 7);
  }
  return (sum0 + sum1) + (sum2 + sum3);
}

/** Path length of the leaf that is left of one of eight pieces. */
@inline function narrowLeaf(lengths: usize, leaves: usize, masks: usize, piece: usize): f64 {
  const bit = <usize>ctz<u64>(load<u64>(masks + piece * 8));
  return load<f64>(lengths + (<usize>load<u8>(leaves + piece * 64 + bit) << 3));
}

/**
 * Grows isolation trees for WebAssembly (AssemblyScript, 128-bit vectors): the trees of `grow-tree.ts` of the room, for
 * at most 256 rows each. There a node is a range of rows; here it is a set of 256 bits, and so is each category:
 * whether a one-hot column is constant in a node takes four vector operations, however many rows there are.
 *
 * scikit-learn's sums of targets are not taken here. They matter only where targets nearly coincide: a tree in which
 * that cannot be excluded is given back, for the readable code to grow.
 *
 * Memory: fixed tables, then those whose size is the forest's (`prepare`). The side that calls keeps all of it within
 * its room.
 */

// grow-kernel.ts of the room
const sampleAt: usize = 0;
const targetsAt: usize = 1024;
const nodeColumnAt: usize = 4096;
const nodeSamplesAt: usize = 12288;
const nodeRightAt: usize = 20480;
const nodeThresholdAt: usize = 36864;
const waitingAt: usize = 69632;
const tablesAt: usize = 73728;

const leafColumn: u16 = 0xffff;
const noParent: u32 = 0xffffffff;
const randMax: u32 = 0x7fffffff;
/**
 * Of a waiting node: its rows as a set, sum of targets, count of rows, depth, known constants, whose right child it is;
 * and its rows again, as a list. (Loops over the bits of four words end four times where nobody foresees it: with lists
 * a tree is grown in a sixth less time.)
 */
const waitingBytes: usize = 320;
const listOffset: usize = 64;
/** A column whose values differ by no more is constant (scikit-learn's FEATURE_THRESHOLD). */
const constantWithin: f32 = 1e-7;
/**
 * What a split takes off the variance of the targets, at least. The sums of 256 numbers below 1, however they are
 * added, are that of a variance within 3e-11: so scikit-learn finds that the split improves, and the node not pure.
 */
const clearVariance: f64 = 1e-10;

let rowCount: u32 = 0;
let sampleCount: u32 = 0;
let numericCount: u32 = 0;
let featureCount: u32 = 0;
let columnCount: u32 = 0;
let depthMax: u32 = 0;
/** [categorical feature]: first column, count of categories. */
let featuresAt: usize = 0;
/** [numeric feature × 256] */
let valuesAt: usize = 0;
/** [column]: 256 bits */
let categoriesAt: usize = 0;
/** [column]: all columns, in front those that are constant in the node at hand. */
let columnsAt: usize = 0;
/** [column]: those found to be constant on the path to the node at hand. */
let constantsAt: usize = 0;
/** [row], [numeric feature × row], [categorical feature × row] */
let rowTargetsAt: usize = 0;
let rowNumbersAt: usize = 0;
let rowCodesAt: usize = 0;

let random: u32 = 1;
/** What the functions below find besides what they return. */
let least: f32 = 0;
let greatest: f32 = 0;
let rightCount: u32 = 0;
let constantCount: u32 = 0;

/** Where the tables of a forest are; they follow one another. @returns the first byte after them */
export function prepare(rows: u32, samples: u32, numbers: u32, features: u32, columns: u32, depth: u32): usize {
  rowCount = rows;
  sampleCount = samples;
  numericCount = numbers;
  featureCount = features;
  columnCount = columns;
  depthMax = depth;
  featuresAt = tablesAt;
  categoriesAt = (featuresAt + (<usize>features << 3) + 15) & ~15;
  valuesAt = categoriesAt + (<usize>columns << 5);
  columnsAt = valuesAt + (<usize>numbers << 10);
  constantsAt = (columnsAt + (<usize>columns << 1) + 15) & ~15;
  rowTargetsAt = (constantsAt + (<usize>columns << 1) + 15) & ~15;
  rowNumbersAt = rowTargetsAt + (<usize>rows << 3);
  rowCodesAt = rowNumbersAt + (<usize>rows * numbers << 2);
  return rowCodesAt + (<usize>rows * features << 1);
}

/** Puts what a tree looks at side by side. */
function gather(): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < sampleCount; i++) {
    const target = load<f64>(rowTargetsAt + (<usize>load<u32>(sampleAt + (i << 2)) << 3));
    store<f64>(targetsAt + (i << 3), target);
    sum += target;
  }
  for (let feature: u32 = 0; feature < numericCount; feature++) {
    const from = rowNumbersAt + (<usize>feature * rowCount << 2);
    const to = valuesAt + (<usize>feature << 10);
    for (let i: usize = 0; i < sampleCount; i++) {
      const value = f32x4.splat(load<f32>(from + (<usize>load<u32>(sampleAt + (i << 2)) << 2)));
      // As `gatherNumbers`; NaN becomes the greatest number.
      const bounded = f32x4.pmax(f32x4.pmin(f32x4.splat(f32.MAX_VALUE), value), f32x4.splat(-f32.MAX_VALUE));
      store<f32>(to + (i << 2), f32x4.extract_lane(bounded, 0));
    }
  }
  memory.fill(categoriesAt, 0, <usize>columnCount << 5);
  for (let feature: u32 = 0; feature < featureCount; feature++) {
    const from = rowCodesAt + (<usize>feature * rowCount << 1);
    const to = categoriesAt + (<usize>load<u32>(featuresAt + (<usize>feature << 3)) << 5);
    const count = load<u32>(featuresAt + (<usize>feature << 3), 4);
    for (let i: usize = 0; i < sampleCount; i++) {
      const code: u32 = load<u16>(from + (<usize>load<u32>(sampleAt + (i << 2)) << 1));
      if (code >= count) continue;
      const at = to + (<usize>code << 5) + (i >> 3);
      store<u8>(at, load<u8>(at) | (<u8>1 << <u8>(i & 7)));
    }
  }
  for (let column: u32 = 0; column < columnCount; column++) {
    store<u16>(columnsAt + (<usize>column << 1), <u16>column);
  }
  return sum;
}

/** scikit-learn's xorshift32 (13, 17, 5), 31 bits of it. */
@inline function draw(): u32 {
  let word: u32 = random == 0 ? 1 : random;
  word ^= word << 13;
  word ^= word >> 17;
  word ^= word << 5;
  random = word;
  return word & randMax;
}

/** Takes a number's values over the rows of a node. @returns whether they are constant */
function findRange(values: usize, node: usize): bool {
  let low = f32x4.splat(f32.MAX_VALUE);
  let high = f32x4.splat(-f32.MAX_VALUE);
  const end = node + load<u32>(node, 40);
  // As vectors, since V8 compares single numbers with branches.
  for (let at = node; at < end; at++) {
    const value = v128.load32_splat(values + (<usize>load<u8>(at, listOffset) << 2));
    low = f32x4.pmin(low, value);
    high = f32x4.pmax(high, value);
  }
  least = f32x4.extract_lane(low, 0);
  greatest = f32x4.extract_lane(high, 0);
  return !(greatest > least + constantWithin);
}

/** Moves a row of a node to the list of the right child, in place, or to that of the left one; takes its target. */
@inline function moveRow(row: usize, isRight: u32, node: usize, left: usize, at: usize): f64 {
  store<u8>(node + rightCount, <u8>row, listOffset);
  store<u8>(left + at - rightCount, <u8>row, listOffset);
  rightCount += isRight;
  return reinterpret<f64>(load<u64>(targetsAt + (row << 3)) & (0 - <u64>isRight));
}

/** Rows of a category go right. @returns the sum of their targets */
function divideCategory(category: usize, node: usize, left: usize): f64 {
  const count: usize = load<u32>(node, 40);
  let sum: f64 = 0;
  rightCount = 0;
  for (let at: usize = 0; at < count; at++) {
    const row: usize = load<u8>(node + at, listOffset);
    sum += moveRow(row, <u32>load<u8>(category + (row >> 3)) >> <u32>(row & 7) & 1, node, left, at);
  }
  v128.store(left, v128.andnot(v128.load(node), v128.load(category)));
  v128.store(left, v128.andnot(v128.load(node, 16), v128.load(category, 16)), 16);
  v128.store(node, v128.and(v128.load(node), v128.load(category)));
  v128.store(node, v128.and(v128.load(node, 16), v128.load(category, 16)), 16);
  return sum;
}

/** Rows above the threshold go right. @returns the sum of their targets */
function divideNumber(values: usize, threshold: f64, node: usize, left: usize): f64 {
  const count: usize = load<u32>(node, 40);
  let sum: f64 = 0;
  rightCount = 0;
  v128.store(left, v128.load(node));
  v128.store(left, v128.load(node, 16), 16);
  for (let at: usize = 0; at < count; at++) {
    const row: usize = load<u8>(node + at, listOffset);
    const isRight = <u32>(<f64>load<f32>(values + (row << 2)) > threshold);
    sum += moveRow(row, isRight, node, left, at);
    const bits = left + (row >> 3);
    store<u8>(bits, load<u8>(bits) & ~(<u8>isRight << <u8>(row & 7)));
  }
  v128.store(node, v128.andnot(v128.load(node), v128.load(left)));
  v128.store(node, v128.andnot(v128.load(node, 16), v128.load(left, 16)), 16);
  return sum;
}

/** The column that a node is split by, or `leafColumn`: the first one drawn that is not constant in it. */
function drawColumn(node: usize, known: u32): u16 {
  const low = v128.load(node);
  const high = v128.load(node, 16);
  const total = columnCount;
  let found: u32 = 0;
  let drawn: u32 = 0;
  let left = total;
  let chosen = leafColumn;
  while (total > known + found) {
    // Those left are as many fewer as were drawn: told so, the next division need not wait for this column's test.
    const place = drawn + draw() % left--;
    // A constant column that is known is drawn in vain, and not again: a Fisher-Yates shuffle. One that is found goes
    // behind those known. Both are a swap, and no branch, which nobody could foresee, tells them apart.
    const isKnown = <u32>(place < known);
    const at = columnsAt + (<usize>(isKnown ? place : place + found) << 1);
    const front = columnsAt + (<usize>(isKnown ? drawn : known + found) << 1);
    const column = load<u16>(at);
    let isConstant: bool;
    if (column < numericCount) {
      isConstant = isKnown != 0 || findRange(valuesAt + (<usize>column << 10), node);
    } else {
      const category = categoriesAt + (<usize>column << 5);
      const a = v128.load(category);
      const b = v128.load(category, 16);
      const inside = v128.or(v128.and(low, a), v128.and(high, b));
      const outside = v128.or(v128.andnot(low, a), v128.andnot(high, b));
      isConstant = !(<u32>v128.any_true(inside) & <u32>v128.any_true(outside));
    }
    if (!isConstant) {
      const last = columnsAt + (<usize>(total - 1) << 1);
      store<u16>(at, load<u16>(last));
      store<u16>(last, column);
      chosen = column;
      break;
    }
    store<u16>(at, load<u16>(front));
    store<u16>(front, column);
    drawn += isKnown;
    found += 1 - isKnown;
  }
  // Siblings and children find the constant columns in the order of finding.
  const knownEnd = <usize>known << 1;
  const foundEnd = <usize>(known + found) << 1;
  for (let i: usize = 0; i < knownEnd; i += 2) store<u16>(columnsAt + i, load<u16>(constantsAt + i));
  for (let i = knownEnd; i < foundEnd; i += 2) store<u16>(constantsAt + i, load<u16>(columnsAt + i));
  constantCount = known + found;
  return chosen;
}

/** Do the targets of a node's first two rows differ so much that it cannot count as pure? */
function isClear(node: usize, count: u32): bool {
  const first = load<f64>(targetsAt + (<usize>load<u8>(node, listOffset) << 3));
  const second = load<f64>(targetsAt + (<usize>load<u8>(node, listOffset + 1) << 3));
  return (first - second) * (first - second) > 2 * <f64>count * clearVariance;
}

/**
 * Grows a tree on the sample, in preorder.
 *
 * @param seed   where scikit-learn's xorshift begins
 * @param first  where in the tables of nodes the tree goes
 * @param base   the forest's number of the tables' first node
 * @returns nodes of the tree; 0: the readable code must grow it
 */
export function grow(seed: u32, first: u32, base: u32): u32 {
  const rootSum = gather();
  random = seed;
  let nodeCount = first;
  let at = waitingAt;
  for (let word: u32 = 0; word < 4; word++) {
    const left = <i32>sampleCount - <i32>(word << 6);
    store<u64>(at + (<usize>word << 3), left >= 64 ? ~(<u64>0) : left > 0 ? ((<u64>1 << left) - 1) : 0);
  }
  for (let i: usize = 0; i < sampleCount; i++) store<u8>(at + i, <u8>i, listOffset);
  push(at, rootSum, sampleCount, 0, 0, noParent);
  at += waitingBytes;
  while (at > waitingAt) {
    at -= waitingBytes;
    const sum = load<f64>(at, 32);
    const count = load<u32>(at, 40);
    const depth = load<u32>(at, 44);
    const known = load<u32>(at, 48);
    const parent = load<u32>(at, 52);
    const node = nodeCount++;
    store<u16>(nodeColumnAt + (<usize>node << 1), leafColumn);
    store<u16>(nodeSamplesAt + (<usize>node << 1), <u16>count);
    store<u32>(nodeRightAt + (<usize>node << 2), 0);
    store<f64>(nodeThresholdAt + (<usize>node << 3), 0);
    if (parent != noParent) store<u32>(nodeRightAt + (<usize>parent << 2), base + node);
    if (depth >= depthMax || count < 2) continue;
    const column = drawColumn(at, known);
    if (column == leafColumn) {
      if (!isClear(at, count)) return 0;
      continue;
    }
    // The right child stays where the node was, the left one comes after it and is done first.
    const left = at + waitingBytes;
    let threshold: f64;
    let rightSum: f64;
    if (column < numericCount) {
      const drawn = (<f64>greatest - <f64>least) * <f64>draw() / <f64>randMax + <f64>least;
      threshold = drawn == <f64>greatest ? <f64>least : drawn;
      rightSum = divideNumber(valuesAt + (<usize>column << 10), threshold, at, left);
    } else {
      const drawn = <f64>draw() / <f64>randMax;
      threshold = drawn == 1 ? 0 : drawn;
      rightSum = divideCategory(categoriesAt + (<usize>column << 5), at, left);
    }
    const leftCount = count - rightCount;
    // Nothing lies above a threshold that was rounded up to the greatest value.
    if (rightCount == 0) return 0;
    const leftSum = sum - rightSum;
    const between = leftSum / <f64>leftCount - rightSum / <f64>rightCount;
    if (between * between * <f64>(leftCount * rightCount) <= clearVariance * <f64>(count * count)) return 0;
    store<u16>(nodeColumnAt + (<usize>node << 1), column);
    store<f64>(nodeThresholdAt + (<usize>node << 3), threshold);
    push(at, rightSum, rightCount, depth + 1, constantCount, node);
    push(left, leftSum, leftCount, depth + 1, constantCount, noParent);
    at = left + waitingBytes;
  }
  return nodeCount - first;
}

/** A node to be done; its rows are there already. */
function push(at: usize, sum: f64, count: u32, depth: u32, known: u32, parent: u32): void {
  store<f64>(at, sum, 32);
  store<u32>(at, count, 40);
  store<u32>(at, depth, 44);
  store<u32>(at, known, 48);
  store<u32>(at, parent, 52);
}

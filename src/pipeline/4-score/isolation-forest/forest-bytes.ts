/**
 * An isolation forest as bytes, and back. Kept is what scores depend on: the shape of the trees, the columns, the
 * thresholds of numbers (those of categories divide alike wherever they lie), the rows in the leaves. The rest is
 * computed when reading. Bytes may be hostile: lengths are checked before anything is allocated, a shape that is not
 * that of trees is refused, and there is only one way to write a forest.
 *
 * Little-endian, sections one behind the other (s splits, l leaves = s + trees):
 *   u32 trees · u32 nodes · u32 splits on numbers · u16 rows of a tree · u16 zero · f64 default threshold
 *   f32 × splits on numbers: thresholds, in preorder
 *   u16 × s: columns, in preorder; u8 where no column needs more
 *   u16 × l: rows in the leaf, in preorder; u8 of one row less where a tree has 256 rows or fewer
 *   bit × nodes, in preorder, lowest bit of a byte first: 1 for a split, 0 for a leaf; zeros at the end
 */
import { oneHotColumnCount, type RowLayout } from '#feature';
import { type FittedForest, leafColumn, oneHotThreshold } from './forest.ts';
import { createForest, type ForestParts } from './score-forest.ts';

const headerBytes = 24;
const smallColumns = 256;
const smallSamples = 256;

type Counts = {
  readonly trees: number;
  readonly nodes: number;
  readonly numericSplits: number;
  readonly maxSamples: number;
};

/** Where the sections of a forest lie, and how wide their entries are. */
type Plan = {
  readonly splits: number;
  readonly columnBytes: number;
  readonly sampleBytes: number;
  readonly columnsAt: number;
  readonly samplesAt: number;
  readonly shapeAt: number;
  readonly endAt: number;
};

function planSections({ trees, nodes, numericSplits, maxSamples }: Counts, layout: RowLayout): Plan {
  const splits = (nodes - trees) / 2;
  const columnBytes = oneHotColumnCount(layout) <= smallColumns ? 1 : 2;
  const sampleBytes = maxSamples <= smallSamples ? 1 : 2;
  const columnsAt = headerBytes + numericSplits * 4;
  const samplesAt = columnsAt + splits * columnBytes;
  const shapeAt = samplesAt + (splits + trees) * sampleBytes;
  return { splits, columnBytes, sampleBytes, columnsAt, samplesAt, shapeAt, endAt: shapeAt + Math.ceil(nodes / 8) };
}

export function writeForest(forest: FittedForest): Uint8Array {
  const { layout, maxSamples, column, threshold, samples } = forest;
  const nodes = column.length;
  const counts: Counts = {
    trees: forest.treeStart.length - 1, nodes, maxSamples,
    numericSplits: column.reduce((sum, at) => sum + (at < layout.numericCount ? 1 : 0), 0),
  };
  const plan = planSections(counts, layout);
  const bytes = new Uint8Array(plan.endAt);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, counts.trees, true);
  view.setUint32(4, nodes, true);
  view.setUint32(8, counts.numericSplits, true);
  view.setUint16(12, maxSamples, true);
  view.setFloat64(16, forest.defaultThreshold, true);
  let thresholdAt = headerBytes;
  let columnAt = plan.columnsAt;
  let sampleAt = plan.samplesAt;
  for (let node = 0; node < nodes; node++) {
    const at = column[node] as number;
    if (at === leafColumn) {
      const inLeaf = samples[node] as number;
      if (plan.sampleBytes === 1) bytes[sampleAt] = inLeaf - 1;
      else view.setUint16(sampleAt, inLeaf, true);
      sampleAt += plan.sampleBytes;
      continue;
    }
    bytes[plan.shapeAt + (node >>> 3)] = (bytes[plan.shapeAt + (node >>> 3)] as number) | (1 << (node & 7));
    if (plan.columnBytes === 1) bytes[columnAt] = at;
    else view.setUint16(columnAt, at, true);
    columnAt += plan.columnBytes;
    if (at >= layout.numericCount) continue;
    view.setFloat32(thresholdAt, threshold[node] as number, true);
    thresholdAt += 4;
  }
  return bytes;
}

/** @returns the forest, or one sentence that says what is wrong with the bytes */
export function readForest(bytes: Uint8Array, layout: RowLayout): FittedForest | string {
  if (bytes.length < headerBytes) return `A forest begins with ${headerBytes} bytes, but there are ${bytes.length}.`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts: Counts = {
    trees: view.getUint32(0, true), nodes: view.getUint32(4, true), numericSplits: view.getUint32(8, true),
    maxSamples: view.getUint16(12, true),
  };
  const defaultThreshold = view.getFloat64(16, true);
  const { trees, nodes, numericSplits, maxSamples } = counts;
  const plan = planSections(counts, layout);
  if (trees === 0 || maxSamples === 0) return 'A forest without trees, or of trees without rows.';
  if (nodes < trees || !Number.isInteger(plan.splits)) return `${nodes} nodes do not make ${trees} trees.`;
  if (numericSplits > plan.splits) return `${numericSplits} of ${plan.splits} splits are on numbers.`;
  if (plan.endAt !== bytes.length) return `The forest needs ${plan.endAt} bytes, but there are ${bytes.length}.`;
  if (view.getUint16(14, true) !== 0) return 'Bytes of the forest\'s header that mean nothing are not zero.';
  if (!(defaultThreshold >= 0 && defaultThreshold <= 1)) return 'The default threshold does not lie within 0 … 1.';
  const forest = {
    layout, defaultThreshold, maxSamples, treeStart: new Uint32Array(trees + 1), column: new Uint16Array(nodes),
    threshold: new Float32Array(nodes), right: new Uint32Array(nodes), samples: new Uint16Array(nodes),
  };
  return readShape(bytes.subarray(plan.shapeAt), forest) ?? readSplits(view, plan, numericSplits, forest) ??
    readLeaves(view, plan, forest) ?? createForest(forest);
}

/** Fills columns with `leafColumn` or 0, right children, and starts of trees. @returns a fault, or nothing */
function readShape(bits: Uint8Array, { maxSamples, treeStart, column, right }: ForestParts): string | undefined {
  const nodes = column.length;
  const depthMax = Math.ceil(Math.log2(Math.max(maxSamples, 2)));
  // Splits whose right child is still to come, and its depth.
  const waiting: { node: number; depth: number }[] = [];
  let node = 0;
  for (let tree = 0; tree + 1 < treeStart.length; tree++) {
    treeStart[tree] = node;
    let depth = 0;
    for (let isWhole = false; !isWhole; node++) {
      if (node === nodes) return `The nodes end within tree ${tree}.`;
      if (isSplit(bits, node)) {
        if (depth === depthMax) return `Tree ${tree} is deeper than ${depthMax}.`;
        depth++;
        waiting.push({ node, depth });
        continue;
      }
      column[node] = leafColumn;
      const parent = waiting.pop();
      if (parent === undefined) {
        isWhole = true;
        continue;
      }
      right[parent.node] = node + 1;
      depth = parent.depth;
    }
  }
  if (node < nodes) return `${nodes - node} nodes belong to no tree.`;
  for (let at = nodes; at < bits.length * 8; at++) {
    if (isSplit(bits, at)) return 'Bits behind the last node are not zero.';
  }
  treeStart[treeStart.length - 1] = nodes;
  return undefined;
}

function isSplit(bits: Uint8Array, node: number): boolean {
  return ((bits[node >>> 3] as number) >>> (node & 7) & 1) === 1;
}

/** Fills columns and thresholds of splits. @returns a fault, or nothing */
function readSplits(view: DataView, plan: Plan, numericSplits: number, forest: ForestParts): string | undefined {
  const { column, threshold, layout } = forest;
  const columnCount = oneHotColumnCount(layout);
  let numbersSeen = 0;
  let at = plan.columnsAt;
  for (let node = 0; node < column.length; node++) {
    if (column[node] === leafColumn) continue;
    const split = plan.columnBytes === 1 ? view.getUint8(at) : view.getUint16(at, true);
    at += plan.columnBytes;
    if (split >= columnCount) return `Node ${node} splits on column ${split} of ${columnCount}.`;
    column[node] = split;
    if (split >= layout.numericCount) {
      threshold[node] = oneHotThreshold;
      continue;
    }
    if (numbersSeen === numericSplits) return `More than ${numericSplits} splits are on numbers.`;
    const value = view.getFloat32(headerBytes + numbersSeen++ * 4, true);
    if (!Number.isFinite(value)) return `The threshold of node ${node} is not finite.`;
    threshold[node] = value;
  }
  return numbersSeen === numericSplits ? undefined : `${numbersSeen} splits are on numbers, not ${numericSplits}.`;
}

/** Fills the rows of leaves, and then of all nodes above them. @returns a fault, or nothing */
function readLeaves(view: DataView, plan: Plan, forest: ForestParts): string | undefined {
  const { column, right, samples, treeStart, maxSamples } = forest;
  let at = plan.samplesAt;
  for (let node = 0; node < column.length; node++) {
    if (column[node] !== leafColumn) continue;
    const inLeaf = plan.sampleBytes === 1 ? view.getUint8(at) + 1 : view.getUint16(at, true);
    at += plan.sampleBytes;
    if (inLeaf === 0) return `Node ${node} is a leaf without rows.`;
    samples[node] = inLeaf;
  }
  for (let node = column.length - 1; node >= 0; node--) {
    if (column[node] === leafColumn) continue;
    const below = (samples[node + 1] as number) + (samples[right[node] as number] as number);
    if (below > maxSamples) return `More than ${maxSamples} rows reach node ${node}.`;
    samples[node] = below;
  }
  for (let tree = 0; tree + 1 < treeStart.length; tree++) {
    const inTree = samples[treeStart[tree] as number] as number;
    if (inTree !== maxSamples) return `Tree ${tree} is of ${inTree} rows, not ${maxSamples}.`;
  }
  return undefined;
}

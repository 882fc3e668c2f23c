/**
 * Boosted trees as bytes, and back. Bytes may be hostile: lengths are checked before anything is allocated, a shape
 * that is not that of trees is refused, and there is only one way to write a set of trees. Nodes of a tree come level
 * by level, so that a bit for each says where its children are. What the layout of the rows says is not written again.
 *
 * Little-endian, sections one behind the other (s splits, l leaves = s + trees):
 *   u32 trees · u32 nodes · u32 splits on numbers · u32 words of sets
 *   f64 log-odds before any tree · f64 log-odds from which on a flow is accepted
 *   f32 × splits on numbers: thresholds, in order of nodes
 *   f32 × l: what the leaf adds, in order of nodes
 *   u32 × words: codes that go left of each split on a category, in order of nodes, lowest bit of a word first
 *   u16 × s: features, in order of nodes; u8 where there are 256 features or fewer
 *   bit × nodes, lowest bit of a byte first: 1 for a split, 0 for a leaf; zeros at the end
 *   bit × splits on numbers: 1 where a missing number goes left; zeros at the end
 */
import { limits } from '#base';
import type { RowLayout } from '#feature';
import { countCodeSetWords, leafFeature, type BoostedTrees } from './boosted-trees.ts';

const headerBytes = 32;
const smallFeatures = 256;

type Counts = {
  readonly trees: number;
  readonly nodes: number;
  readonly numericSplits: number;
  readonly setWords: number;
};

/** Where the sections lie, and how wide a feature is. */
type Plan = Counts & {
  readonly splits: number;
  readonly featureBytes: number;
  readonly leavesAt: number;
  readonly setsAt: number;
  readonly featuresAt: number;
  readonly shapeAt: number;
  readonly missingAt: number;
  readonly endAt: number;
};

function planSections(counts: Counts, layout: RowLayout): Plan {
  const { trees, nodes, numericSplits, setWords } = counts;
  const splits = (nodes - trees) / 2;
  const featureBytes = layout.numericCount + layout.categoryCounts.length <= smallFeatures ? 1 : 2;
  const leavesAt = headerBytes + numericSplits * 4;
  const setsAt = leavesAt + (splits + trees) * 4;
  const featuresAt = setsAt + setWords * 4;
  const shapeAt = featuresAt + splits * featureBytes;
  const missingAt = shapeAt + Math.ceil(nodes / 8);
  const endAt = missingAt + Math.ceil(numericSplits / 8);
  return { ...counts, splits, featureBytes, leavesAt, setsAt, featuresAt, shapeAt, missingAt, endAt };
}

export function writeBoostedTrees(trees: BoostedTrees): Uint8Array {
  const { layout, roots, feature, threshold, missingLeft, codeSetAt, codeSets } = trees;
  const plan = planSections({
    trees: roots.length, nodes: feature.length, setWords: codeSets.length,
    numericSplits: feature.reduce((sum, asked) => sum + Number(asked < layout.numericCount), 0),
  }, layout);
  const bytes = new Uint8Array(plan.endAt);
  const view = new DataView(bytes.buffer);
  [plan.trees, plan.nodes, plan.numericSplits, plan.setWords].forEach((count, i) => view.setUint32(i * 4, count, true));
  view.setFloat64(16, trees.base, true);
  view.setFloat64(24, trees.acceptFrom, true);
  let [numbers, leaves, words, splits] = [0, 0, 0, 0];
  for (let node = 0; node < feature.length; node++) {
    const asked = feature[node] as number;
    if (asked === leafFeature) {
      view.setFloat32(plan.leavesAt + leaves++ * 4, threshold[node] as number, true);
      continue;
    }
    setBit(bytes, plan.shapeAt, node);
    if (plan.featureBytes === 1) view.setUint8(plan.featuresAt + splits++, asked);
    else view.setUint16(plan.featuresAt + splits++ * 2, asked, true);
    if (asked < layout.numericCount) {
      view.setFloat32(headerBytes + numbers * 4, threshold[node] as number, true);
      if (missingLeft[node] === 1) setBit(bytes, plan.missingAt, numbers);
      numbers++;
      continue;
    }
    const first = codeSetAt[node] as number;
    const end = first + countCodeSetWords(layout.categoryCounts[asked - layout.numericCount] as number);
    for (let at = first; at < end; at++) view.setUint32(plan.setsAt + words++ * 4, codeSets[at] as number, true);
  }
  return bytes;
}

/** @returns the trees, or one sentence that says what is wrong with the bytes */
export function readBoostedTrees(bytes: Uint8Array, layout: RowLayout): BoostedTrees | string {
  if (bytes.length < headerBytes) {
    return `Boosted trees begin with ${headerBytes} bytes, but there are ${bytes.length}.`;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [trees, nodes, numericSplits, setWords] =
    [0, 4, 8, 12].map((at) => view.getUint32(at, true)) as [number, number, number, number];
  if (trees > limits.boostedTreesMax) return `${trees} boosted trees are more than ${limits.boostedTreesMax}.`;
  const plan = planSections({ trees, nodes, numericSplits, setWords }, layout);
  if (nodes < trees || !Number.isInteger(plan.splits)) return `${nodes} nodes do not make ${trees} boosted trees.`;
  if (nodes > trees * (2 * limits.boostedLeavesMax - 1)) {
    return `${nodes} nodes are too many for ${trees} boosted trees.`;
  }
  if (numericSplits > plan.splits) return `${numericSplits} of ${plan.splits} splits are on numbers.`;
  if (plan.endAt !== bytes.length) return `Boosted trees need ${plan.endAt} bytes, but there are ${bytes.length}.`;
  const base = view.getFloat64(16, true);
  const acceptFrom = view.getFloat64(24, true);
  if (!Number.isFinite(base) || !Number.isFinite(acceptFrom)) return 'The log-odds of the header are not finite.';
  const made = {
    layout, base, acceptFrom, roots: new Uint32Array(trees), feature: new Uint16Array(nodes).fill(leafFeature),
    threshold: new Float32Array(nodes), missingLeft: new Uint8Array(nodes), codeSetAt: new Uint32Array(nodes),
    codeSets: new Uint32Array(setWords), left: new Uint32Array(nodes),
  };
  return readShape(bytes, plan, made) ?? readSplits(bytes, view, plan, made) ?? readSets(view, plan, made) ??
    readLeaves(view, plan, made) ?? made;
}

/** Fills roots and children. @returns a fault, or nothing */
function readShape(bytes: Uint8Array, { shapeAt, missingAt, nodes }: Plan, { roots, left }: BoostedTrees):
string | undefined {
  let node = 0;
  for (let tree = 0; tree < roots.length; tree++) {
    const root = node;
    roots[tree] = root;
    // The nodes that the tree has as far as its splits have been read.
    for (let end = root + 1; node < end; node++) {
      if (node >= nodes) return `The nodes end within boosted tree ${tree}.`;
      if (!hasBit(bytes, shapeAt, node)) continue;
      left[node] = end;
      end += 2;
      if (end - root >= 2 * limits.boostedLeavesMax) {
        return `Boosted tree ${tree} has more than ${limits.boostedLeavesMax} leaves.`;
      }
    }
  }
  if (node < nodes) return `${nodes - node} nodes belong to no boosted tree.`;
  return hasBitBehind(bytes, shapeAt, nodes, missingAt) ? 'Bits behind the last node are not zero.' : undefined;
}

/** Fills features, thresholds, sides of missing numbers, and where sets begin. @returns a fault, or nothing */
function readSplits(bytes: Uint8Array, view: DataView, plan: Plan, trees: BoostedTrees): string | undefined {
  const { layout: { numericCount, categoryCounts }, feature, threshold, missingLeft, codeSetAt, left } = trees;
  const featureCount = numericCount + categoryCounts.length;
  let [numbers, words, splits] = [0, 0, 0];
  for (let node = 0; node < plan.nodes; node++) {
    if (left[node] === 0) continue;
    const asked = plan.featureBytes === 1
      ? view.getUint8(plan.featuresAt + splits++) : view.getUint16(plan.featuresAt + splits++ * 2, true);
    if (asked >= featureCount) return `Node ${node} splits on feature ${asked} of ${featureCount}.`;
    feature[node] = asked;
    if (asked >= numericCount) {
      codeSetAt[node] = words;
      words += countCodeSetWords(categoryCounts[asked - numericCount] as number);
      continue;
    }
    if (numbers === plan.numericSplits) return `More than ${numbers} splits are on numbers.`;
    const value = view.getFloat32(headerBytes + numbers * 4, true);
    if (Number.isNaN(value)) return `The threshold of node ${node} is no number.`;
    threshold[node] = value;
    missingLeft[node] = Number(hasBit(bytes, plan.missingAt, numbers++));
  }
  if (numbers !== plan.numericSplits) return `${numbers} splits are on numbers, not ${plan.numericSplits}.`;
  if (words !== plan.setWords) return `The splits on categories have ${words} words of sets, not ${plan.setWords}.`;
  return hasBitBehind(bytes, plan.missingAt, numbers, plan.endAt)
    ? 'Bits behind the last split on a number are not zero.' : undefined;
}

/** Fills sets. @returns a fault, or nothing */
function readSets(view: DataView, { setsAt, nodes }: Plan, trees: BoostedTrees): string | undefined {
  const { layout: { numericCount, categoryCounts }, feature, codeSetAt, codeSets } = trees;
  for (let at = 0; at < codeSets.length; at++) codeSets[at] = view.getUint32(setsAt + at * 4, true);
  for (let node = 0; node < nodes; node++) {
    const asked = feature[node] as number;
    if (asked < numericCount || asked === leafFeature) continue;
    const count = categoryCounts[asked - numericCount] as number;
    const last = codeSets[(codeSetAt[node] as number) + countCodeSetWords(count) - 1] as number;
    // Shifts are by less than 32: bit 31 is the last of its word, and nothing lies behind it.
    if ((count & 31) < 31 && last >>> ((count & 31) + 1) !== 0) return `Node ${node} knows a code above ${count}.`;
  }
  return undefined;
}

/** Fills what leaves add. @returns a fault, or nothing */
function readLeaves(view: DataView, { leavesAt, nodes }: Plan, { feature, threshold }: BoostedTrees):
string | undefined {
  let leaves = 0;
  for (let node = 0; node < nodes; node++) {
    if (feature[node] !== leafFeature) continue;
    const value = view.getFloat32(leavesAt + leaves++ * 4, true);
    if (!Number.isFinite(value)) return `What leaf ${node} adds is not finite.`;
    threshold[node] = value;
  }
  return undefined;
}

function setBit(bytes: Uint8Array, firstByte: number, bit: number): void {
  const at = firstByte + (bit >>> 3);
  bytes[at] = (bytes[at] as number) | (1 << (bit & 7));
}

function hasBit(bytes: Uint8Array, firstByte: number, bit: number): boolean {
  return (((bytes[firstByte + (bit >>> 3)] as number) >>> (bit & 7)) & 1) === 1;
}

/** True when a bit from this one on, up to a byte, is set. */
function hasBitBehind(bytes: Uint8Array, firstByte: number, bit: number, endByte: number): boolean {
  for (let at = bit; at < (endByte - firstByte) * 8; at++) if (hasBit(bytes, firstByte, at)) return true;
  return false;
}

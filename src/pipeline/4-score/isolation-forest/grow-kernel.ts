/**
 * Grows the trees of `grow-tree.ts` by the WebAssembly kernel (`kernels/fit/`): the same nodes, in a fraction of the
 * time, and from the first tree on. A tree in which scikit-learn's rounding of sums might count is left to
 * `TreeGrower`.
 */
import { assertInvariant, loadKernel } from '#base';
import { oneHotColumnCount } from '#feature';
import type { GrowerOptions } from './grow-tree.ts';

/** The kernel's memory; the same there. */
export const growerLayout = {
  sampleAt: 0, targetsAt: 1024, nodeColumnAt: 4096, nodeSamplesAt: 12_288, nodeRightAt: 20_480,
  nodeThresholdAt: 36_864, waitingAt: 69_632, tablesAt: 73_728,
} as const;

const pageBytes = 65_536;
/** Rows of a tree are bits of a set. */
const sampleMax = 256;
/** Nodes that wait in the kernel's tables to be taken over. */
const nodesMax = 4096;
/** Rows are copied into the kernel's memory; more are fitted without it. */
const bytesMax = 2 ** 28;
/** What may stay in memory between fits. */
const spareBytesMax = 2 ** 22;

type Kernel = {
  readonly prepare: (rows: number, samples: number, numbers: number, features: number, columns: number,
    depth: number) => number;
  readonly grow: (seed: number, first: number, base: number) => number;
};

export type KernelGrower = {
  /** @returns false when the readable code must grow the tree, after `flush` */
  readonly grow: (sample: Uint32Array, seed: number) => boolean;
  /** Nodes of the trees so far. */
  readonly nodeCount: () => number;
  /** Adds the nodes that wait to those of the forest. */
  readonly flush: () => void;
  /** Nothing is grown any more; all is flushed. */
  readonly close: () => void;
};

type Room = { readonly memory: WebAssembly.Memory; readonly kernel: Kernel };
/** Of the last forest, for the next one: new memory costs a twentieth of a fit. */
let spareRoom: Room | undefined;

function takeRoom(bytes: number): Room {
  const spare = spareRoom;
  spareRoom = undefined;
  if (spare !== undefined && spare.memory.buffer.byteLength >= bytes) return spare;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  return { memory, kernel: loadKernel<Kernel>(new URL('grow-kernel.wasm', import.meta.url), memory) };
}

/** @returns undefined for forests that are too large for the kernel */
export function createKernelGrower(options: GrowerOptions): KernelGrower | undefined {
  const { rows: { rowCount, layout, numeric, codes }, nodes, sampleCount, depthMax, targets } = options;
  const { numericCount, categoryCounts } = layout;
  const columnCount = oneHotColumnCount(layout);
  const rowBytes = 8 + numericCount * 4 + categoryCounts.length * 2;
  const bytes = growerLayout.tablesAt + categoryCounts.length * 8 + columnCount * 36 + numericCount * sampleMax * 4 +
    rowCount * rowBytes + 64;
  if (sampleCount > sampleMax || bytes > bytesMax) return undefined;
  const room = takeRoom(bytes);
  const { memory, kernel } = room;
  const end = kernel.prepare(rowCount, sampleCount, numericCount, categoryCounts.length, columnCount, depthMax);
  assertInvariant(end <= bytes, 'the tables of the kernel do not fit into its memory');
  const features = new Uint32Array(memory.buffer, growerLayout.tablesAt, categoryCounts.length * 2);
  let firstColumn = numericCount;
  categoryCounts.forEach((count, feature) => {
    features.set([firstColumn, count], feature * 2);
    firstColumn += count;
  });
  let at = end - rowCount * rowBytes;
  new Float64Array(memory.buffer, at, rowCount).set(targets.subarray(0, rowCount));
  at += rowCount * 8;
  for (const column of numeric) {
    new Float32Array(memory.buffer, at, rowCount).set(column.subarray(0, rowCount));
    at += rowCount * 4;
  }
  for (const column of codes) {
    new Uint16Array(memory.buffer, at, rowCount).set(column.subarray(0, rowCount));
    at += rowCount * 2;
  }
  const ownSample = new Uint32Array(memory.buffer, growerLayout.sampleAt, sampleCount);
  const columns = new Uint16Array(memory.buffer, growerLayout.nodeColumnAt, nodesMax);
  const samples = new Uint16Array(memory.buffer, growerLayout.nodeSamplesAt, nodesMax);
  const right = new Uint32Array(memory.buffer, growerLayout.nodeRightAt, nodesMax);
  const thresholds = new Float64Array(memory.buffer, growerLayout.nodeThresholdAt, nodesMax);
  let waiting = 0;

  const flush = (): void => {
    nodes.reserve(waiting);
    nodes.column.set(columns.subarray(0, waiting), nodes.count);
    nodes.samples.set(samples.subarray(0, waiting), nodes.count);
    nodes.right.set(right.subarray(0, waiting), nodes.count);
    nodes.threshold.set(thresholds.subarray(0, waiting), nodes.count);
    nodes.count += waiting;
    waiting = 0;
  };
  return {
    flush,
    close: () => {
      if (memory.buffer.byteLength <= spareBytesMax) spareRoom = room;
    },
    nodeCount: () => nodes.count + waiting,
    grow: (sample, seed) => {
      if (waiting + 2 * sampleCount > nodesMax) flush();
      ownSample.set(sample);
      const count = kernel.grow(seed, waiting, nodes.count);
      waiting += count;
      return count > 0;
    },
  };
}

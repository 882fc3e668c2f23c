/**
 * Boosted trees of many classes over flows, each class against all others together (Rifkin and Klautau 2004), as
 * LightGBM has them under `multiclassova`; LightGBM is what Meidan et al. 2020 found best. They see what the device
 * sent: whom to, how much, with which flags. For the lab alone: no detector carries them.
 */
import { assertInvariant } from '#base';
import {
  createEncodedRows, createEncoderOf, createFeatureMatrix, findCatalog, readFeatures,
  type Catalog, type EncodedRows, type Encoder, type FeatureMatrix,
} from '#feature';
import { fitEncoder } from '#feature/fit';
import type { FlowBatch } from '#flow';
import { logOddsOf, type BoostedTrees } from '#score';
import { boostDefaults, fitBoostedTrees, type BoostOptions } from '#score/fit';

/**
 * Features of the natlens catalog that the trees see: those of the device's own packets that Meidan et al. 2020 use, as
 * their table IoT-deNAT lists them. Theirs has times and source ports, too, which say which home and hour it was and
 * not which device model: behind a NAT, the source port is the router's choice.
 *
 * @source doi:10.5281/zenodo.3924770
 */
const featureNames: readonly string[] = [
  'initiatorOctetsLog2', 'initiatorPacketsLog2', 'flowDurationMillisecondsLog2', 'ipClassOfService',
  'protocolIdentifier', 'destinationPortClass', 'tcpControlBits', 'destinationPrefix',
];

export const flowTreesCatalog: Catalog = pickFeatures('natlens', featureNames);

/** Rows `first` up to but not `end` of flows, all of one class. */
export type ClassFlows = {
  readonly className: string;
  readonly flows: FlowBatch;
  readonly first: number;
  readonly end: number;
};

export type ClassTreesOptions = Pick<BoostOptions, 'iterations' | 'learningRate' | 'maxLeaves'> & {
  /** Flows of one entry that are learned from, evenly spaced: a busy unit must not speak for all. */
  readonly flowsMax: number;
};

/** Half the trees of LightGBM's default, each of which counts twice as much: as good here, in half the time. */
export const classTreesDefaults: ClassTreesOptions = {
  iterations: boostDefaults.iterations / 2, learningRate: 2 * boostDefaults.learningRate,
  maxLeaves: boostDefaults.maxLeaves, flowsMax: 2_048,
};

export type ClassTrees = {
  /** Sorted. */
  readonly classes: readonly string[];
  /**
   * The most likely class of every row, one of those learned: there is no other answer.
   *
   * @param batch  read only
   * @returns      [rowCount]: index of the class; of equally likely ones the first
   */
  classify(batch: FlowBatch): Uint16Array;
  /**
   * Whether a class is the most likely: as `classify`, without an answer to who else is.
   *
   * @param flows  read only; `className` is the class asked for, whatever the flows are
   * @returns      [end - first]: 1 or 0; all 0 for a class that was not learned
   */
  isOfClass(flows: ClassFlows): Uint8Array;
};

/**
 * Fits trees for each class. Nothing is drawn by chance: the same flows give the same trees.
 *
 * @param parts  read only; at least one flow among them. Classes without any are not learned
 */
export function fitClassTrees(parts: readonly ClassFlows[], options: Partial<ClassTreesOptions> = {}): ClassTrees {
  const { flowsMax, ...boosting } = { ...classTreesDefaults, ...options };
  const shown = parts.filter(({ first, end }) => end > first);
  assertInvariant(shown.length > 0, 'trees of no flows');
  const matrices = shown.map((part) => readEvenly(part, flowsMax));
  const encoder = createEncoderOf(flowTreesCatalog, fitEncoder(flowTreesCatalog, matrices));
  const rows = encodeAll(encoder, matrices);
  const classes = [...new Set(shown.map(({ className }) => className))].sort();
  const classOf = new Uint16Array(rows.rowCount);
  let at = 0;
  for (const [i, { rowCount }] of matrices.entries()) {
    classOf.fill(classes.indexOf((shown[i] as ClassFlows).className), at, at + rowCount);
    at += rowCount;
  }
  const trees = classes.map((_, own) =>
    fitBoostedTrees(rows, Uint8Array.from(classOf, (other) => Number(other === own)), boosting));
  return {
    classes,
    classify: (batch) => classifyRows(trees, encodeAll(encoder, [readAll(batch)])),
    isOfClass: (flows) => {
      const own = classes.indexOf(flows.className);
      if (own < 0) return new Uint8Array(flows.end - flows.first);
      return findOwn(trees, own, encodeAll(encoder, [readEvenly(flows, Infinity)]));
    },
  };
}

function pickFeatures(catalogName: string, names: readonly string[]): Catalog {
  const catalog = findCatalog(catalogName);
  assertInvariant(catalog !== undefined, `there is no catalog ${catalogName}`);
  const numeric = catalog.numeric.filter(({ name }) => names.includes(name));
  const categorical = catalog.categorical.filter(({ name }) => names.includes(name));
  assertInvariant(numeric.length + categorical.length === names.length, 'a feature that is not in the catalog');
  return { name: 'flow-trees', version: 1, meaning: 'what Meidan et al. 2020 see of a flow', numeric, categorical };
}

function readAll(batch: FlowBatch): FeatureMatrix {
  const matrix = createFeatureMatrix(flowTreesCatalog, batch.rowCount);
  readFeatures(batch, matrix);
  return matrix;
}

/** Rows of a part, evenly spaced ones where there are too many. */
function readEvenly({ flows, first, end }: ClassFlows, rowsMax: number): FeatureMatrix {
  const matrix = readAll(flows);
  const count = end - first;
  const kept = Math.min(count, rowsMax);
  // In place: a row never moves up.
  for (const column of [...matrix.numeric, ...matrix.categorical]) {
    for (let i = 0; i < kept; i++) column[i] = column[first + Math.floor(i * count / kept)] as number;
  }
  matrix.rowCount = kept;
  return matrix;
}

/** Rows of all matrices, one behind the other. */
function encodeAll(encoder: Encoder, matrices: readonly FeatureMatrix[]): EncodedRows {
  const all = createEncodedRows(encoder.layout, matrices.reduce((sum, { rowCount }) => sum + rowCount, 0));
  for (const matrix of matrices) {
    const { rowCount } = matrix;
    const { numeric, codes } = all;
    // Views of what is free yet: the encoder writes where the rows belong.
    encoder.encode(matrix, {
      layout: encoder.layout, rowCount: 0,
      numeric: numeric.map((column) => column.subarray(all.rowCount, all.rowCount + rowCount)),
      codes: codes.map((column) => column.subarray(all.rowCount, all.rowCount + rowCount)),
    });
    all.rowCount += rowCount;
  }
  return all;
}

function classifyRows(trees: readonly BoostedTrees[], rows: EncodedRows): Uint16Array {
  const best = new Uint16Array(rows.rowCount);
  for (let row = 0; row < rows.rowCount; row++) {
    let most = -Infinity;
    for (const [i, ofClass] of trees.entries()) {
      const odds = logOddsOf(ofClass, rows, row);
      if (odds <= most) continue;
      most = odds;
      best[row] = i;
    }
  }
  return best;
}

/** Asks first whoever was more likely the last time: flows come in runs, and one that is more likely is enough. */
function findOwn(trees: readonly BoostedTrees[], own: number, rows: EncodedRows): Uint8Array {
  const isOwn = new Uint8Array(rows.rowCount);
  const order = [...trees.keys()].filter((i) => i !== own);
  for (let row = 0; row < rows.rowCount; row++) {
    const odds = logOddsOf(trees[own] as BoostedTrees, rows, row);
    const place = order.findIndex((i) => {
      const others = logOddsOf(trees[i] as BoostedTrees, rows, row);
      return others > odds || (others === odds && i < own);
    });
    if (place < 0) isOwn[row] = 1;
    else order.unshift(...order.splice(place, 1));
  }
  return isOwn;
}

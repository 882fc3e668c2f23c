/**
 * Who is taken for a device model, and why: of the flows that are wrongly accepted, what they share with those that
 * trained it, most telling first. A feature tells much when few flows of other devices have what training showed.
 */
import { createEncodedRows, createFeatureMatrix, readFeatures, type EncodedRows, type Encoder } from '#feature';
import type { FlowBatch } from '#flow';
import type { Confuser } from './results.ts';

/** Test flows of one other unit. */
export type OtherUnit = {
  readonly deviceModel: string;
  readonly batches: readonly FlowBatch[];
  /** [flow]: 1 when it is accepted. */
  readonly isAccepted: Uint8Array;
};

/** Shares below are left to `acceptedShare`: a flow now and then is no confusion. */
const shareMin = 0.01;
const confusersMax = 10;
const reasonsMax = 4;
/** Share of the accepted flows that must have what training showed, for a feature to be a reason. */
const sharedMin = 0.95;
/** Share of training values, at each end, that a range leaves out: a single odd flow says nothing of a device. */
const tailShare = 0.01;
const categoriesNamed = 3;

type Range = { readonly low: number; readonly high: number };

/** Accepted flows of a device model, feature by feature. */
type Tally = {
  flows: number;
  accepted: number;
  /** [feature]: accepted flows with what training showed. */
  readonly shared: Float64Array;
  /** [numeric feature]: values of accepted flows, scaled as the encoder does it. */
  readonly values: number[][];
  /** [categorical feature]: accepted flows by code. */
  readonly codes: Map<number, number>[];
};

/**
 * Confusers, largest share first.
 *
 * @param training  rows that trained the classifier; read only
 */
export function findConfusers(
  { encoder, training, units }: { encoder: Encoder; training: EncodedRows; units: readonly OtherUnit[] },
): Confuser[] {
  const { layout } = encoder;
  const featureCount = layout.numericCount + layout.categoryCounts.length;
  const ranges = training.numeric.map((column) => rangeOf(column.subarray(0, training.rowCount)));
  const isShared = (rows: EncodedRows, feature: number, row: number): boolean => {
    const range = ranges[feature];
    if (range !== undefined) {
      const value = (rows.numeric[feature] as Float32Array)[row] as number;
      return value >= range.low && value <= range.high;
    }
    const category = feature - layout.numericCount;
    return (rows.codes[category] as Uint16Array)[row] !== layout.categoryCounts[category];
  };
  const tallies = new Map<string, Tally>();
  const sharedByAll = new Float64Array(featureCount);
  let flowsOfAll = 0;
  for (const unit of units) {
    const tally = tallies.get(unit.deviceModel) ?? emptyTally(featureCount, layout.numericCount);
    tallies.set(unit.deviceModel, tally);
    let at = 0;
    for (const batch of unit.batches) {
      const rows = encode(encoder, batch);
      for (let row = 0; row < rows.rowCount; row++, at++) {
        const isAccepted = unit.isAccepted[at] === 1;
        tally.flows++;
        if (isAccepted) addAccepted(tally, rows, row);
        for (let feature = 0; feature < featureCount; feature++) {
          if (!isShared(rows, feature, row)) continue;
          sharedByAll[feature] = (sharedByAll[feature] as number) + 1;
          if (isAccepted) tally.shared[feature] = (tally.shared[feature] as number) + 1;
        }
      }
      flowsOfAll += rows.rowCount;
    }
  }
  return [...tallies].filter(([, { flows, accepted }]) => accepted > 0 && accepted / flows >= shareMin)
    .map(([deviceModel, tally]) => ({
      deviceModel, share: tally.accepted / tally.flows,
      because: explain(encoder, tally, sharedByAll.map((shared) => shared / flowsOfAll)),
    }))
    .sort((a, b) => b.share - a.share || (a.deviceModel < b.deviceModel ? -1 : 1)).slice(0, confusersMax);
}

function emptyTally(featureCount: number, numericCount: number): Tally {
  return {
    flows: 0, accepted: 0, shared: new Float64Array(featureCount),
    values: Array.from({ length: numericCount }, () => []),
    codes: Array.from({ length: featureCount - numericCount }, () => new Map<number, number>()),
  };
}

function addAccepted(tally: Tally, rows: EncodedRows, row: number): void {
  tally.accepted++;
  tally.values.forEach((values, i) => values.push((rows.numeric[i] as Float32Array)[row] as number));
  tally.codes.forEach((codes, i) => {
    const code = (rows.codes[i] as Uint16Array)[row] as number;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  });
}

function encode(encoder: Encoder, batch: FlowBatch): EncodedRows {
  const matrix = createFeatureMatrix(encoder.catalog, batch.rowCount);
  readFeatures(batch, matrix);
  const rows = createEncodedRows(encoder.layout, batch.rowCount);
  encoder.encode(matrix, rows);
  return rows;
}

/** Where all values lie but the lowest and the highest of them. @param values  not empty */
function rangeOf(values: ArrayLike<number>): Range {
  const ascending = Float64Array.from(values).sort();
  const cut = Math.floor(ascending.length * tailShare);
  return { low: ascending[cut] as number, high: ascending[ascending.length - 1 - cut] as number };
}

function explain(encoder: Encoder, tally: Tally, sharedByAll: Float64Array): string[] {
  const { numericCount } = encoder.layout;
  return [...tally.shared.keys()].filter((feature) => (tally.shared[feature] as number) >= sharedMin * tally.accepted)
    .sort((a, b) => (sharedByAll[a] as number) - (sharedByAll[b] as number) || a - b).slice(0, reasonsMax)
    .map((feature) => (feature < numericCount ? describeNumbers(encoder, feature, tally.values[feature] as number[])
      : describeCategories(encoder, feature - numericCount, tally.codes[feature - numericCount] as Map<number, number>,
        tally.accepted)));
}

function describeNumbers({ catalog, fitted }: Encoder, feature: number, scaled: readonly number[]): string {
  const { min, max } = fitted.numeric[feature] as { min: number; max: number };
  const unscale = (value: number): string => formatNumber(min + value * (max - min || 1));
  const { low, high } = rangeOf(scaled);
  return `${catalog.numeric[feature]?.name} ${low === high ? unscale(low) : `${unscale(low)} to ${unscale(high)}`}`;
}

/** Four digits, which is more than a reader of reasons needs. */
function formatNumber(value: number): string {
  return Math.abs(value) >= 1_000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
}

function describeCategories(
  { catalog, fitted }: Encoder, feature: number, codes: ReadonlyMap<number, number>, flows: number,
): string {
  const categories = fitted.categories[feature] as readonly string[];
  const named = [...codes].filter(([code]) => code < categories.length)
    .sort(([a, countA], [b, countB]) => countB - countA || a - b).slice(0, categoriesNamed)
    .map(([code, count]) => `${categories[code] === '' ? '(none)' : categories[code]} ${percent(count / flows)}`);
  return `${catalog.categorical[feature]?.name} ${named.join(', ')}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

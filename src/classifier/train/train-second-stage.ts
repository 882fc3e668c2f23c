/**
 * Trains the second stage of a classifier: boosted trees that tell the device model's flows from those flows of other
 * units that show a token of its fingerprint, or what would be one if no other unit showed it: siblings teach most.
 * What units of training teach says little of units that nobody knows, so it is tested on units held out, device model
 * by device model.
 */
import { assertInvariant, limits } from '#base';
import { FingerprintMatcher, noToken, type Fingerprint } from '#evidence';
import {
  createEncodedRows, createEncoder, createFeatureMatrix, layoutOf, readFeatures, type EncodedRows, type RowLayout,
} from '#feature';
import type { FlowBatch } from '#flow';
import { predictBoostedTrees, type BoostedTrees, type Classifier } from '#score';
import { fitBoostedTrees } from '#score/fit';
import type { LibraryUnit } from './background-library.ts';
import { learnFingerprint } from './learn-fingerprint.ts';
import type { AcceptFlows } from './score-hours.ts';
import { compareTexts, type OwnFlows } from './unit-flows.ts';

export type SecondStageOptions = {
  /** Flows of the library that show a token below which there is nothing to learn from. */
  readonly libraryFlowsMin: number;
  /** Share of the device model's validation flows that must pass. */
  readonly passShare: number;
  /** Parts that the library's device models are cut into for the test; each is held out once. */
  readonly foldCount: number;
  /** Flows that are looked at, evenly spaced: of one unit, lest a busy one speak for all, and of the whole library. */
  readonly unitFlowsMax: number;
  readonly libraryFlowsMax: number;
  readonly ownFlowsMax: number;
};

export const secondStageDefaults: SecondStageOptions = {
  libraryFlowsMin: 50, passShare: 0.99, foldCount: 5, unitFlowsMax: 4_096,
  libraryFlowsMax: limits.secondStageFlowsMax, ownFlowsMax: limits.secondStageFlowsMax,
};

export type SecondStage = {
  readonly trees: BoostedTrees;
  /** Flows that it was trained on: the device model's, and others' that show a token. */
  readonly ownFlows: number;
  readonly libraryFlows: number;
  readonly libraryUnits: number;
  /** Others' flows while their device model was held out; undefined where all are of one. */
  readonly heldOut: { readonly flows: number; readonly refused: number } | undefined;
};

export type SecondStageInput = {
  readonly classifier: Pick<Classifier, 'encoder'>;
  readonly fingerprint: Fingerprint;
  readonly own: OwnFlows;
  /** Units of which none is of the device model. */
  readonly library: readonly LibraryUnit[];
  /** As it was when the fingerprint was learned. */
  readonly accept: AcceptFlows;
};

/**
 * Trains a second stage.
 *
 * @returns  undefined where the library shows too few tokens, or the device model's validation flows show none
 */
export function trainSecondStage(
  input: SecondStageInput, options: Partial<SecondStageOptions> = {},
): SecondStage | undefined {
  const settings = { ...secondStageDefaults, ...options };
  const { classifier, own, library } = input;
  const { passShare, libraryFlowsMin, libraryFlowsMax, ownFlowsMax } = settings;
  const unitFlowsMax = Math.min(settings.unitFlowsMax, Math.ceil(libraryFlowsMax / Math.max(1, library.length)));
  const layout = layoutOf(classifier.encoder);
  const encode = createShowing(input);
  const groups = groupUnits(library).map((units) => {
    const shown = units.map(({ flows }) => thin(joinRows(layout, flows.map(encode)), unitFlowsMax))
      .filter(({ rowCount }) => rowCount > 0);
    return { unitCount: shown.length, rows: joinRows(layout, shown) };
  }).filter(({ unitCount }) => unitCount > 0);
  const others = joinRows(layout, groups.map(({ rows }) => rows));
  if (others.rowCount < libraryFlowsMin) return undefined;
  const training = thin(joinRows(layout, own.training.map(encode)), ownFlowsMax);
  const validation = joinRows(layout, own.validation.map(encode));
  if (training.rowCount === 0 || validation.rowCount === 0) return undefined;
  const trees = fit(training, others, validation, passShare);
  return {
    trees, ownFlows: training.rowCount, libraryFlows: others.rowCount,
    libraryUnits: groups.reduce((sum, { unitCount }) => sum + unitCount, 0),
    heldOut: testHeldOut(groups.map(({ rows }) => rows), { training, validation, layout }, settings),
  };
}

type Own = { readonly training: EncodedRows; readonly validation: EncodedRows; readonly layout: RowLayout };

/** Units of one device model together; a unit of unknown device model by itself. Ordered by name. */
function groupUnits(library: readonly LibraryUnit[]): LibraryUnit[][] {
  const nameOf = ({ deviceModel, device }: LibraryUnit): string => deviceModel === '' ? `\n${device}` : deviceModel;
  const sorted = [...library].sort((a, b) => compareTexts(nameOf(a), nameOf(b)) || compareTexts(a.device, b.device));
  return [...Map.groupBy(sorted, nameOf).values()];
}

/** Each group goes, the largest first, to the part that has the fewest flows. */
function dealGroups(groups: readonly EncodedRows[], foldCount: number): EncodedRows[][] {
  const folds = Array.from({ length: Math.min(foldCount, groups.length) }, () => ({
    rowCount: 0, members: [] as EncodedRows[],
  }));
  for (const group of groups.toSorted((a, b) => b.rowCount - a.rowCount)) {
    const fold = folds.reduce((least, other) => (other.rowCount < least.rowCount ? other : least));
    fold.members.push(group);
    fold.rowCount += group.rowCount;
  }
  return folds.map(({ members }) => members);
}

function testHeldOut(
  groups: readonly EncodedRows[], { training, validation, layout }: Own,
  { foldCount, passShare }: SecondStageOptions,
): SecondStage['heldOut'] {
  if (groups.length < 2) return undefined;
  const folds = dealGroups(groups, foldCount);
  let flows = 0;
  let refused = 0;
  for (const [i, held] of folds.entries()) {
    const known = joinRows(layout, folds.flatMap((members, other) => (other === i ? [] : members)));
    const trees = fit(training, known, validation, passShare);
    const rows = joinRows(layout, held);
    flows += rows.rowCount;
    refused += predict(trees, rows).reduce((sum, odds) => sum + Number(odds < trees.acceptFrom), 0);
  }
  return { flows, refused };
}

function fit(own: EncodedRows, others: EncodedRows, validation: EncodedRows, passShare: number): BoostedTrees {
  const rows = joinRows(own.layout, [own, others]);
  const isOwn = new Uint8Array(rows.rowCount).fill(1, 0, own.rowCount);
  const trees = fitBoostedTrees(rows, isOwn);
  const odds = predict(trees, validation).sort();
  // Of n flows all but the floor((1 - share) n) least likely ones pass, and whatever is as likely as the last of them.
  const acceptFrom = odds[Math.floor((1 - passShare) * odds.length + 1e-9)];
  assertInvariant(acceptFrom !== undefined, 'a second stage was validated on nothing');
  return { ...trees, acceptFrom };
}

function predict(trees: BoostedTrees, rows: EncodedRows): Float64Array {
  const out = new Float64Array(rows.rowCount);
  predictBoostedTrees(trees, rows, out);
  return out;
}

/** Gives the rows of a batch that show a token, as the classifier's encoder makes them. */
function createShowing(
  { classifier, fingerprint, own, library, accept }: SecondStageInput,
): (batch: FlowBatch) => EncodedRows {
  const candidates = learnFingerprint(own, library, accept, { sharedShareMin: Infinity });
  const encoder = createEncoder(classifier.encoder);
  const matcher = new FingerprintMatcher([fingerprint, candidates]);
  return (batch) => {
    const tokens = [new Uint32Array(batch.rowCount), new Uint32Array(batch.rowCount)];
    const isAccepted = accept(batch);
    matcher.match(batch, [isAccepted, isAccepted], tokens);
    const showing: number[] = [];
    for (let row = 0; row < batch.rowCount; row++) {
      if (tokens.some((shown) => shown[row] !== noToken)) showing.push(row);
    }
    const matrix = createFeatureMatrix(encoder.catalog, batch.rowCount);
    readFeatures(batch, matrix);
    const rows = createEncodedRows(encoder.layout, batch.rowCount);
    encoder.encode(matrix, rows);
    return chooseRows(rows, showing);
  };
}

/** Evenly spaced ones of many rows. */
function thin(rows: EncodedRows, rowsMax: number): EncodedRows {
  if (rows.rowCount <= rowsMax) return rows;
  return chooseRows(rows, Array.from({ length: rowsMax }, (_, i) => Math.floor(i * rows.rowCount / rowsMax)));
}

function chooseRows(rows: EncodedRows, chosen: readonly number[]): EncodedRows {
  const out = createEncodedRows(rows.layout, chosen.length);
  out.rowCount = chosen.length;
  const copy = (from: Float32Array | Uint16Array, to: Float32Array | Uint16Array): void => {
    for (let i = 0; i < chosen.length; i++) to[i] = from[chosen[i] as number] as number;
  };
  out.numeric.forEach((column, i) => copy(rows.numeric[i] as Float32Array, column));
  out.codes.forEach((column, i) => copy(rows.codes[i] as Uint16Array, column));
  return out;
}

function joinRows(layout: RowLayout, parts: readonly EncodedRows[]): EncodedRows {
  const out = createEncodedRows(layout, parts.reduce((sum, { rowCount }) => sum + rowCount, 0));
  for (const { rowCount, numeric, codes } of parts) {
    out.numeric.forEach((column, i) => column.set((numeric[i] as Float32Array).subarray(0, rowCount), out.rowCount));
    out.codes.forEach((column, i) => column.set((codes[i] as Uint16Array).subarray(0, rowCount), out.rowCount));
    out.rowCount += rowCount;
  }
  return out;
}

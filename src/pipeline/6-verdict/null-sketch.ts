/**
 * A sketch of what homes look like that a detector saw without knowing who owns what (docs/formats/null-sketch.md): for
 * each classifier how many home-days had a strongest window of which score. Plain counts, which may be added; no home,
 * no date and no address is in it, and a table of few home-days does not leave. Text in, text out: whoever calls has
 * the file.
 */
import { limits } from '#base';
import {
  activityBounds, activityCount, nullBinCount, nullBinWidth, type NullTable,
} from './calibration.ts';
import { countHomeDays, mergeNullTables, readSparseBins, sparseBinsOf } from './null-table.ts';

export const nullSketchFormat = 'natlens-null-sketch';
export const nullSketchVersion = 1;

export type SketchedClassifier = {
  readonly deviceModel: string;
  /** Digest of the artifact, hexadecimal: another classifier's scores are no null of this one. */
  readonly classifier: string;
  readonly nullTable: NullTable;
};

export type NullSketch = {
  /** Length of the windows, and of the buckets that they end at. */
  readonly windowMs: number;
  readonly bucketMs: number;
  /** Ascending by digest, each once. */
  readonly classifiers: readonly SketchedClassifier[];
};

/**
 * What may leave a detector: the tables of enough home-days that no home stands out, in a fixed order.
 *
 * @returns the sketch, and the digests of classifiers whose tables are held back
 */
export function makeNullSketch(
  { windowMs, bucketMs, classifiers }: NullSketch, homeDaysMin: number = limits.sketchHomeDaysMin,
): { sketch: NullSketch; heldBack: string[] } {
  const sorted = [...classifiers].sort((a, b) => (a.classifier < b.classifier ? -1 : 1));
  const isEnough = ({ nullTable }: SketchedClassifier): boolean => countHomeDays(nullTable) >= homeDaysMin;
  return {
    sketch: { windowMs, bucketMs, classifiers: sorted.filter(isEnough) },
    heldBack: sorted.filter((entry) => !isEnough(entry)).map(({ classifier }) => classifier),
  };
}

/** The sketch as text: always the same for the same counts. Bins without a home-day are left out. */
export function formatNullSketch({ windowMs, bucketMs, classifiers }: NullSketch): string {
  const entries = [...classifiers].sort((a, b) => (a.classifier < b.classifier ? -1 : 1));
  return `${JSON.stringify({
    format: nullSketchFormat, version: nullSketchVersion, windowMs, bucketMs,
    activityBounds, binWidth: nullBinWidth, binCount: nullBinCount,
    classifiers: entries.map(({ deviceModel, classifier, nullTable }) => ({
      deviceModel, classifier,
      homeDays: nullTable.homeDays.map(sparseBinsOf),
    })),
  })}\n`;
}

/** @returns the sketch, or one sentence that says what is wrong with the text */
export function parseNullSketch(text: string): NullSketch | string {
  if (text.length > limits.sketchBytesMax) return `A null sketch has at most ${limits.sketchBytesMax} characters.`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'The null sketch is no JSON.';
  }
  if (!isFields(parsed) || parsed.format !== nullSketchFormat) return `This is no ${nullSketchFormat}.`;
  if (parsed.version !== nullSketchVersion) {
    return `The null sketch is of version ${String(parsed.version).slice(0, 20)}; natlens reads ${nullSketchVersion}.`;
  }
  const { windowMs, bucketMs, classifiers } = parsed;
  if (!isWhole(windowMs, 1) || !isWhole(bucketMs, 1) || windowMs % bucketMs !== 0) {
    return 'The null sketch does not say of what windows it is.';
  }
  if (JSON.stringify(parsed.activityBounds) !== JSON.stringify(activityBounds) || parsed.binWidth !== nullBinWidth ||
    parsed.binCount !== nullBinCount) {
    return 'The null sketch has other strata or bins than those of this natlens.';
  }
  if (!Array.isArray(classifiers) || classifiers.length > limits.sketchClassifiersMax) {
    return `The null sketch lists no classifiers, or more than ${limits.sketchClassifiersMax}.`;
  }
  const taken: SketchedClassifier[] = [];
  for (const value of classifiers) {
    const classifier = takeClassifier(value);
    if (typeof classifier === 'string') return classifier;
    if ((taken.at(-1)?.classifier ?? '') >= classifier.classifier) {
      return 'The classifiers of the null sketch are not in order, or one is there twice.';
    }
    taken.push(classifier);
  }
  const sketch = { windowMs, bucketMs, classifiers: taken };
  return formatNullSketch(sketch) === text ? sketch : 'The null sketch is not written as natlens writes it.';
}

/**
 * The sum of sketches, as of one detector with the homes of all.
 *
 * @returns the sketch, or one sentence that says why they do not add up
 */
export function mergeNullSketches(first: NullSketch, second: NullSketch): NullSketch | string {
  if (first.windowMs !== second.windowMs || first.bucketMs !== second.bucketMs) {
    return 'Null sketches of windows or buckets of different lengths do not add up.';
  }
  const merged = new Map(first.classifiers.map((entry) => [entry.classifier, entry]));
  for (const entry of second.classifiers) {
    const known = merged.get(entry.classifier);
    if (known !== undefined && known.deviceModel !== entry.deviceModel) {
      return `Null sketches call the classifier ${entry.classifier} one of ${known.deviceModel} and of ` +
        `${entry.deviceModel}.`;
    }
    merged.set(entry.classifier, known === undefined ? entry
      : { ...entry, nullTable: mergeNullTables(known.nullTable, entry.nullTable) });
  }
  const classifiers = [...merged.values()].sort((a, b) => (a.classifier < b.classifier ? -1 : 1));
  const sound = classifiers.every(({ nullTable }) => Number.isSafeInteger(countHomeDays(nullTable)));
  return sound ? { ...first, classifiers } : 'The null sketches have more home-days than can be counted.';
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole = (value: unknown, min: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= min;
/** Texts come to a terminal. */
const isName = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 255 &&
  !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]/u.test(value);

function takeClassifier(value: unknown): SketchedClassifier | string {
  if (!isFields(value) || !isName(value.deviceModel)) return 'The null sketch has a classifier of no device model.';
  const { deviceModel, classifier, homeDays } = value;
  if (typeof classifier !== 'string' || !/^[0-9a-f]{64}$/.test(classifier)) {
    return `The null sketch does not say which classifier of ${deviceModel} it tells of.`;
  }
  if (!Array.isArray(homeDays) || homeDays.length !== activityCount) return 'The null sketch lacks strata.';
  let total = 0;
  const table: (readonly number[])[] = [];
  for (const entries of homeDays as unknown[]) {
    const bins = readSparseBins(entries);
    if (bins === undefined) return 'The null sketch has something else than counts of home-days, bin by bin.';
    for (const count of bins) total += count;
    table.push(bins);
  }
  return Number.isSafeInteger(total) ? { deviceModel, classifier, nullTable: { homeDays: table } }
    : 'The null sketch has more home-days than can be counted.';
}

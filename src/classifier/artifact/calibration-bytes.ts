/**
 * The calibration section of an artifact: JSON in one fixed order without blanks, as the manifest is, of the null table
 * only the bins that hold something. What does not read back to the same bytes is refused.
 */
import { limits } from '#base';
import {
  activityBounds, activityCount, nullBinCount, nullBinWidth, readSparseBins, sparseBinsOf, type Calibration,
  type CalibrationCard, type NullSource, type NullTable,
} from '#verdict';
import { isAscending, isCount, isDeviceModel, isFields, isShare } from './checked-fields.ts';
import { isSameBytes } from './section-cursor.ts';

/** The last millisecond that a date may be (ECMA-262, time values). */
const timeMsMax = 8_640_000_000_000_000;

/** Where null tables come from, in the order in which a card names them. */
const nullSources: readonly NullSource[] = ['lab', 'simulator', 'field'];

export function writeCalibration(calibration: Calibration): Uint8Array<ArrayBuffer> {
  const { windowMs, bucketMs, nullTable, ownFloor, group, expiresMs, card } = calibration;
  const { sources, promisedFpr, measuredFpr, fprUpper95, testHomeDays, nullUnits, detection, confusers } = card;
  const text = JSON.stringify({
    windowMs, bucketMs,
    nullTable: {
      activityBounds, binWidth: nullBinWidth, binCount: nullBinCount,
      homeDays: nullTable.homeDays.map(sparseBinsOf),
    },
    ownFloor, group, expiresMs,
    card: {
      sources, promisedFpr, measuredFpr, fprUpper95, testHomeDays, nullUnits,
      detection: detection.map(({ minutes, rate, homes }) => ({ minutes, rate, homes })),
      confusers: confusers.map(({ deviceModel, rate }) => ({ deviceModel, rate })),
    },
  });
  return new TextEncoder().encode(text);
}

/**
 * @param deviceModel  of the classifier that carries it
 * @returns the calibration, or one sentence that says what is wrong with the bytes
 */
export function readCalibration(bytes: Uint8Array, deviceModel: string): Calibration | string {
  if (bytes.length > limits.calibrationBytesMax) {
    return `The calibration has ${bytes.length} bytes; ${limits.calibrationBytesMax} are the most.`;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return 'The calibration is no JSON in UTF-8.';
  }
  const calibration = takeCalibration(parsed, deviceModel);
  if (typeof calibration === 'string') return calibration;
  return isSameBytes(writeCalibration(calibration), bytes) ? calibration
    : 'The calibration is not written as natlens writes it.';
}

function takeCalibration(parsed: unknown, ofDeviceModel: string): Calibration | string {
  if (!isFields(parsed)) return 'The calibration is no object.';
  const { windowMs, bucketMs, ownFloor, group, expiresMs } = parsed;
  if (!isCount(windowMs) || !isCount(bucketMs) || bucketMs === 0 || windowMs === 0 || windowMs % bucketMs !== 0) {
    return 'The calibration does not say which windows it was made with.';
  }
  const nullTable = takeNullTable(parsed.nullTable);
  if (typeof nullTable === 'string') return nullTable;
  if (!isAmount(ownFloor)) return 'The calibration has no score that the device model itself reaches.';
  if (!isCount(expiresMs) || expiresMs > timeMsMax) return 'The calibration does not say when it expires.';
  if (!isNames(group) || (group.length > 0 && (group.length < 2 || !group.includes(ofDeviceModel)))) {
    return "The calibration's group is no list of device models with the classifier's own and another, ascending.";
  }
  const card = takeCard(parsed.card, ofDeviceModel);
  return typeof card === 'string' ? card : { windowMs, bucketMs, nullTable, ownFloor, group, expiresMs, card };
}

/** Finite as all numbers of JSON are, but for those too large for it. */
const isAmount = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;

const isNames = (value: unknown): value is string[] => Array.isArray(value) &&
  value.length <= limits.calibrationNamesMax && value.every(isDeviceModel) && isAscending(value);

function takeNullTable(value: unknown): NullTable | string {
  if (!isFields(value)) return 'The calibration has no null table.';
  if (JSON.stringify(value.activityBounds) !== JSON.stringify(activityBounds) || value.binWidth !== nullBinWidth ||
      value.binCount !== nullBinCount) {
    return 'The null table has other strata or bins than those of this natlens.';
  }
  const { homeDays } = value;
  if (!Array.isArray(homeDays) || homeDays.length !== activityCount) return 'The null table lacks strata.';
  let total = 0;
  const table: (readonly number[])[] = [];
  for (const entries of homeDays as unknown[]) {
    const bins = readSparseBins(entries);
    if (bins === undefined) return 'The null table has something else than counts of home-days, bin by bin.';
    for (const count of bins) total += count;
    table.push(bins);
  }
  return Number.isSafeInteger(total) ? { homeDays: table } : 'The null table has more home-days than can be counted.';
}

function takeCard(value: unknown, ofDeviceModel: string): CalibrationCard | string {
  if (!isFields(value)) return 'The calibration has no card.';
  const { sources, promisedFpr, measuredFpr, fprUpper95, testHomeDays, nullUnits, detection, confusers } = value;
  if (!isSources(sources)) return 'The card does not say where its home-days come from.';
  if (!isShare(promisedFpr)) return 'The card promises no share of false alarms.';
  if (!isShare(measuredFpr) || !isShare(fprUpper95) || fprUpper95 < measuredFpr) {
    return 'The card has no measured share of false alarms below its upper bound.';
  }
  if (!isCount(testHomeDays) || !isCount(nullUnits)) return 'The card does not say how much it rests on.';
  if (!isDetection(detection)) return 'The card does not say after how many minutes how many homes are found.';
  if (!isConfusers(confusers, ofDeviceModel)) {
    return 'The card has confusers that are none, or not the most frequent first.';
  }
  return { sources, promisedFpr, measuredFpr, fprUpper95, testHomeDays, nullUnits, detection, confusers };
}

const isSources = (value: unknown): value is NullSource[] => Array.isArray(value) && value.length > 0 &&
  value.every((source) => nullSources.includes(source as NullSource)) &&
  isAscending(value.map((source) => nullSources.indexOf(source as NullSource)));

const isDetection = (value: unknown): value is { minutes: number; rate: number; homes: number }[] =>
  Array.isArray(value) && value.length <= limits.detectionRatesMax && value.every((entry) =>
    isFields(entry) && isAmount(entry.minutes) && entry.minutes > 0 && isShare(entry.rate) && isCount(entry.homes)) &&
  isAscending((value as { minutes: number }[]).map(({ minutes }) => minutes));

function isConfusers(value: unknown, ofDeviceModel: string): value is { deviceModel: string; rate: number }[] {
  if (!Array.isArray(value) || value.length > limits.calibrationNamesMax) return false;
  if (!value.every((entry) => isFields(entry) && isDeviceModel(entry.deviceModel) && isShare(entry.rate))) return false;
  const confusers = value as { deviceModel: string; rate: number }[];
  const names = new Set(confusers.map(({ deviceModel }) => deviceModel));
  return names.size === confusers.length && !names.has(ofDeviceModel) &&
    confusers.every(({ rate }, i) => i === 0 || rate <= (confusers[i - 1]?.rate ?? 0));
}

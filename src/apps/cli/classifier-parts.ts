/**
 * What `natlens classifier inspect` tells of the parts that turn flows into a verdict on a home: once as data, once in
 * words.
 */
import { formatCount, formatTable } from '#base';
import type { ShippedClassifier } from '#classifier/artifact';
import type { FingerprintToken } from '#evidence';
import { budgetDays, type Calibration, type CalibrationCard } from '#verdict';

/** The parts as `--json` prints them; documented in docs/commands/classifier.md. */
export type DescribedParts = {
  readonly fingerprint: null | {
    readonly tokenCount: number;
    readonly libraryUnits: number;
    /** The heaviest first. */
    readonly tokens: readonly FingerprintToken[];
  };
  readonly secondStage: null | { readonly trees: number; readonly nodes: number; readonly acceptFrom: number };
  readonly calibration: null | DescribedCalibration;
};

type DescribedCalibration = CalibrationCard & Pick<Calibration, 'group' | 'ownFloor'> & {
  /** ISO 8601. */
  readonly expires: string;
  readonly homeDays: number;
  readonly homeDaysByActivity: readonly number[];
};

export function describeParts({ fingerprint, secondStage, calibration }: ShippedClassifier): DescribedParts {
  return {
    fingerprint: fingerprint === undefined ? null : {
      tokenCount: fingerprint.tokens.length, libraryUnits: fingerprint.libraryUnits,
      tokens: [...fingerprint.tokens].sort((a, b) => b.weight - a.weight || b.recall - a.recall),
    },
    secondStage: secondStage === undefined ? null : {
      trees: secondStage.roots.length, nodes: secondStage.feature.length, acceptFrom: secondStage.acceptFrom,
    },
    calibration: calibration === undefined ? null : describeCalibration(calibration),
  };
}

function describeCalibration({ card, group, ownFloor, expiresMs, nullTable }: Calibration): DescribedCalibration {
  const homeDaysByActivity = nullTable.homeDays.map((bins) => bins.reduce((sum, count) => sum + count, 0));
  return {
    ...card, group, ownFloor, expires: new Date(expiresMs).toISOString(),
    homeDays: homeDaysByActivity.reduce((sum, count) => sum + count, 0), homeDaysByActivity,
  };
}

/** Facts by name, as the table of `inspect` has them. */
export function formatParts({ fingerprint, secondStage, calibration }: DescribedParts): string[][] {
  return [
    ['fingerprint', fingerprint === null ? 'none: distinct destinations of accepted flows are counted'
      : `${fingerprint.tokenCount} tokens, weighed against ${fingerprint.libraryUnits} units of a background library`],
    ['second stage', secondStage === null ? 'none'
      : `${formatCount(secondStage.trees)} trees of ${formatCount(secondStage.nodes)} nodes together`],
    ...calibration === null ? [['calibration', 'none: nothing is promised about homes']] : formatCard(calibration),
  ];
}

function formatCard(card: DescribedCalibration): string[][] {
  const { promisedFpr, measuredFpr, fprUpper95, testHomeDays, homeDays, nullUnits } = card;
  const { sources, detection, confusers } = card;
  const others = card.group.length === 0 ? 'is told from all other device models that were tried'
    : `these data cannot tell apart: ${card.group.join(', ')}. A verdict names them all.`;
  return [
    ['false alarms', `promised: ${formatRate(promisedFpr)}, so ` +
      `${formatPercent(monthlyOf(promisedFpr))} of homes a month`],
    ['measured', `${formatRate(measuredFpr)}, at most ${formatRate(fprUpper95)} (95 %), in ` +
      `${formatCount(testHomeDays)} home-days of other units`],
    ['rests on', `${formatCount(homeDays)} home-days without the device model (${sources.join(', ')}), of ` +
      `${nullUnits === 0 ? 'homes that are not known' : `${formatCount(nullUnits)} units`}`],
    ['detection', detection.length === 0 ? 'not measured' : detection.map(({ minutes, rate, homes }) =>
      `${formatPercent(rate)} after ${formatMinutes(minutes)} (${formatCount(homes)} homes)`).join(', ')],
    ['own floor', `no score below ${card.ownFloor.toFixed(2)} nats counts`],
    ['confusers', confusers.length === 0 ? 'none' : confusers.map(({ deviceModel, rate }) =>
      `${deviceModel} (found in ${formatPercent(rate)} of its homes)`).join(', ')],
    ['group', others],
    ['expires', card.expires],
  ];
}

/** Share of a month's homes, when each day has its share. */
function monthlyOf(perDay: number): number {
  return 1 - (1 - perDay) ** budgetDays;
}

/** A share of home-days, as people say it. */
function formatRate(share: number): string {
  return share === 0 ? 'none' : `1 in ${formatCount(1 / share)} home-days`;
}

function formatPercent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

function formatMinutes(minutes: number): string {
  return minutes >= 60 && Number.isInteger(minutes / 60) ? `${minutes / 60} h` : `${minutes} min`;
}

/** Tokens that are shown to people; `--json` has all. */
const shownTokensMax = 10;

/** The heaviest tokens as a table, or nothing. */
export function formatTokens({ fingerprint }: DescribedParts): string {
  if (fingerprint === null || fingerprint.tokenCount === 0) return '';
  const rows = fingerprint.tokens.slice(0, shownTokensMax).map(({ text, family, weight, recall, prevalence }) =>
    [text, family, weight.toFixed(2), formatPercent(recall), formatPercent(prevalence)]);
  return formatTable(['heaviest tokens', 'family', 'nats', 'of own hours', "of others' hours"], rows);
}

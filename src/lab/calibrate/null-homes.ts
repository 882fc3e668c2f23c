/**
 * Home-days without the device model: composed of units, measured as a detector would, counted into a null table, and,
 * with units that took no part, the rate of false alarms that a rule then really has.
 */
import type { Random } from '#base';
import {
  activityBounds, activityOf, clopperPearsonUpper, NullCounter, type DecisionRule, type NullTable,
} from '#verdict';
import { composeHome, dayMs, type ComposedHome, type ComposeOptions } from '../homes/compose-homes.ts';
import { HomeWindows, type WindowOptions, type WindowScore } from '../homes/home-windows.ts';
import { createWeightSum } from '../baseline/window-scores.ts';
import type { Recording } from '../homes/recording.ts';
import type { ClassifierTokens } from './calibration-units.ts';

export type MeteredTokens = Pick<ClassifierTokens, 'weights' | 'tokensOf'> & {
  /** What a window of them is worth; undefined: the sum of their weights. */
  readonly score?: WindowScore;
};

export type HomeWindowOptions = Pick<WindowOptions, 'windowMs' | 'bucketMs'>;

/** How strong the windows of composed homes get for one classifier. */
export class HomeMeter {
  readonly #tokens: MeteredTokens;
  readonly #score: WindowScore;
  readonly #windows: HomeWindows;
  readonly #strongest: Float64Array;
  readonly #options: HomeWindowOptions;

  /** @param horizonsMs  ascending; by default a day */
  constructor(
    tokens: MeteredTokens, options: HomeWindowOptions, horizonsMs: readonly number[] = [dayMs],
  ) {
    this.#tokens = tokens;
    this.#score = tokens.score ?? createWeightSum(tokens.weights);
    this.#windows = new HomeWindows({ ...options, horizonsMs });
    this.#strongest = new Float64Array(horizonsMs.length);
    this.#options = options;
  }

  /** A day, with the flows before it that its first windows reach back to. */
  get day(): ComposeOptions {
    return { lengthMs: dayMs, leadMs: this.#options.windowMs };
  }

  /** [horizon] score of the strongest window that ended by then; valid until the next call. */
  measure(home: ComposedHome): Float64Array {
    this.#windows.measure(home, (recording) => this.#tokens.tokensOf(recording), this.#score, this.#strongest);
    return this.#strongest;
  }

  /** That of the whole time. */
  strongestOf(home: ComposedHome): number {
    const strongest = this.measure(home);
    return strongest[strongest.length - 1] as number;
  }
}

export type NullHomesOptions = {
  readonly count: number;
  /** Home-days that a stratum needs for a decision: the busiest one is filled up to so many. */
  readonly stratumMin: number;
};

/** Homes that are united at most to make a busy one. */
const unitedMax = 32;

/** Composes null homes and counts their days. @param recordings  of units that calibrate; not empty */
export function countNullHomes(
  meter: HomeMeter, recordings: readonly Recording[], { count, stratumMin }: NullHomesOptions, random: Random,
): NullTable {
  const counter = new NullCounter();
  let busiest = 0;
  const add = (home: ComposedHome): void => {
    if (activityOf(home.flowsADay) === activityBounds.length) busiest++;
    counter.add(meter.strongestOf(home), home.flowsADay);
  };
  for (let i = 0; i < count; i++) add(composeHome(recordings, meter.day, random));
  // Labs are quieter than families, and a rule never decides on homes that are busier than all that it has seen.
  while (busiest < stratumMin) {
    const home = uniteHomes(() => composeHome(recordings, meter.day, random));
    if (home === undefined) break;
    add(home);
  }
  return counter.table();
}

/** A home as busy as the busiest stratum begins, of as many homes as it takes; undefined: it takes too many. */
function uniteHomes(compose: () => ComposedHome): ComposedHome | undefined {
  const bound = activityBounds[activityBounds.length - 1] as number;
  const united: ComposedHome[] = [];
  let flowsADay = 0;
  while (flowsADay < bound) {
    if (united.length === unitedMax) return undefined;
    const home = compose();
    united.push(home);
    flowsADay += home.flowsADay;
  }
  return {
    placements: united.flatMap(({ placements }) => placements), flowsADay,
    devices: united.reduce((sum, { devices }) => sum + devices, 0),
  };
}

export type MeasuredRate = {
  readonly homeDays: number;
  readonly falseAlarms: number;
  readonly rate: number;
  /** One-sided bounds, 95 %; the lower one is the exact one of as many independent home-days. */
  readonly lower95: number;
  readonly upper95: number;
};

/** Deviations of a normal distribution within which 95 % lie, on one side. */
const deviations95 = 1.645;

/**
 * Share of null home-days in which a rule finds the device model.
 *
 * The bound is the exact one of as many independent home-days, or, where it is larger, what leaving out one device
 * model at a time makes of the rate (a jackknife): composed homes share their few units, so many homes of a device
 * model that is taken for another are one mistake, not many.
 *
 * @param recordings  of units that took no part; not empty
 */
export function measureFalseAlarms(
  meter: HomeMeter, recordings: readonly Recording[], rule: DecisionRule, count: number, random: Random,
): MeasuredRate {
  const models = new Map<string, { homes: number; alarms: number }>();
  let falseAlarms = 0;
  for (let i = 0; i < count; i++) {
    const home = composeHome(recordings, meter.day, random);
    const isAlarm = meter.strongestOf(home) >= rule.presentScoreOf(home.flowsADay);
    if (isAlarm) falseAlarms++;
    for (const name of new Set(home.placements.map(({ recording: { unit } }) => unit.deviceModel))) {
      const known = models.get(name) ?? { homes: 0, alarms: 0 };
      known.homes++;
      if (isAlarm) known.alarms++;
      models.set(name, known);
    }
  }
  const rate = count === 0 ? 0 : falseAlarms / count;
  const without = [...models.values()].filter(({ homes }) => homes < count)
    .map(({ homes, alarms }) => (falseAlarms - alarms) / (count - homes));
  const squares = without.reduce((sum, each) => sum + (each - rate) ** 2, 0);
  const deviation = without.length < 2 ? 0 : Math.sqrt(squares * (without.length - 1) / without.length);
  return {
    homeDays: count, falseAlarms, rate,
    lower95: 1 - clopperPearsonUpper(count - falseAlarms, count),
    upper95: Math.min(1, Math.max(clopperPearsonUpper(falseAlarms, count), rate + deviations95 * deviation)),
  };
}

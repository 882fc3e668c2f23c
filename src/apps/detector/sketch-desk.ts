/** The field sketch as it may leave a detector: counts of home-days for each classifier that has enough of them. */
import { formatCount, limits, OperatorError } from '#base';
import { countHomeDays, formatNullSketch, makeNullSketch } from '#verdict';
import { nullTableOf } from './field-sketch.ts';
import type { DetectorCore } from './home-desk.ts';

export type SketchAnswer = {
  /** The file (docs/formats/null-sketch.md). */
  readonly text: string;
  /** Classifiers in it. */
  readonly classifiers: number;
  readonly homeDays: number;
  /** Device models of classifiers with too few home-days. */
  readonly heldBack: readonly string[];
};

/** @throws OperatorError  no classifier has enough home-days yet */
export function sketchHomes({ config, engine }: DetectorCore, homeDaysMin: number = limits.sketchHomeDaysMin):
SketchAnswer {
  const { windowMs, bucketMs } = config.evidence;
  const counted = engine.classifiers.flatMap(({ classifier: { deviceModel }, digest, stage }) => {
    const counts = engine.sketch.countsOf(digest);
    return counts === undefined || stage !== 1 ? []
      : [{ deviceModel, classifier: digest, nullTable: nullTableOf(counts) }];
  });
  const { sketch, heldBack } = makeNullSketch({ windowMs, bucketMs, classifiers: counted }, homeDaysMin);
  if (sketch.classifiers.length === 0) {
    const most = counted.reduce((highest, { nullTable }) => Math.max(highest, countHomeDays(nullTable)), 0);
    throw new OperatorError('bad-option', `There is nothing to tell yet: ${formatCount(homeDaysMin)} days of homes ` +
      `are needed of a classifier with a fingerprint, and the most that one has is ${formatCount(most)}. A day of a ` +
      'home counts when it is over, from the third day on.');
  }
  return {
    text: formatNullSketch(sketch), classifiers: sketch.classifiers.length,
    homeDays: sketch.classifiers.reduce((sum, { nullTable }) => sum + countHomeDays(nullTable), 0),
    heldBack: counted.filter(({ classifier }) => heldBack.includes(classifier)).map(({ deviceModel }) => deviceModel),
  };
}

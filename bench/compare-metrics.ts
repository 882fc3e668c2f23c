/**
 * Figures of a detector on judged flows, as the lab computes them: how well scores tell a device model's own flows from
 * those of others.
 */
import { acceptedShare, areaUnderCurve, fprAtTpr } from '#lab';

export type Figures = {
  /** Area under the ROC curve: how often another flow scores higher than an own one, ties half. */
  readonly auc: number;
  /** The same against flows of other IoT device models alone. */
  readonly aucIot: number;
  readonly defaultTpr: number;
  readonly defaultFpr: number;
  readonly p10Tpr: number;
  readonly p10Fpr: number;
  /** Share of other flows accepted where the threshold accepts nine tenths of the judged own ones. */
  readonly fprAtTpr90: number;
};

/** @param own  scores of the device model's flows, `iot` and `computers` those of others; at least one each */
export function judgeScores(
  { own, iot, computers }: { own: Float64Array; iot: Float64Array; computers: Float64Array },
  { byDefault, p10 }: { byDefault: number; p10: number },
): Figures {
  const others = Float64Array.of(...iot, ...computers).sort();
  const ascending = own.toSorted();
  return {
    auc: areaUnderCurve(ascending, others), aucIot: areaUnderCurve(ascending, iot.toSorted()),
    defaultTpr: acceptedShare(ascending, byDefault), defaultFpr: acceptedShare(others, byDefault),
    p10Tpr: acceptedShare(ascending, p10), p10Fpr: acceptedShare(others, p10),
    fprAtTpr90: fprAtTpr(ascending, others, 0.9),
  };
}

/** Means of figures, each by itself. */
export function meanFigures(all: readonly Figures[]): Figures {
  const mean = (read: (figures: Figures) => number): number =>
    all.reduce((sum, figures) => sum + read(figures), 0) / all.length;
  return {
    auc: mean(({ auc }) => auc), aucIot: mean(({ aucIot }) => aucIot),
    defaultTpr: mean(({ defaultTpr }) => defaultTpr), defaultFpr: mean(({ defaultFpr }) => defaultFpr),
    p10Tpr: mean(({ p10Tpr }) => p10Tpr), p10Fpr: mean(({ p10Fpr }) => p10Fpr),
    fprAtTpr90: mean(({ fprAtTpr90 }) => fprAtTpr90),
  };
}
